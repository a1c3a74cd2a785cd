"""No password is in the files of the database, also none from the time before there were keys."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from deployd.daemon.secrets_key import open_sealer
from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.settings import Settings
from deployd.state import secrets
from deployd.state.key_file import KeyMissing, make_key
from deployd.state.migrations import MIGRATIONS
from deployd.state.sealing import KeyWrong
from deployd.state.store import open_store

BEFORE_KEYS = 4
PLAIN = [f"plain-password-{number:04d}" for number in range(200)]
GONE = [f"gone-password-{number:04d}" for number in range(200)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"directory": str(tmp_path)})


@pytest.fixture
def database(settings: Settings) -> Path:
    """A state.db as a deployd before this one left it: passwords in plain text, and more in its free pages."""
    settings.state.mkdir()
    path = settings.state / "state.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA secure_delete=OFF")
        for script in MIGRATIONS[:BEFORE_KEYS]:
            db.executescript(script)
        db.execute(f"PRAGMA user_version={BEFORE_KEYS}")
        db.execute("INSERT INTO projects VALUES ('shop', 'plain-entropy-of-shop')")
        rows = [("shop", "main", "db", name, name) for name in (*PLAIN, *GONE)]
        db.executemany("INSERT INTO secrets VALUES (?, ?, ?, ?, 'is-' || ?)", rows)
        db.commit()
        db.executemany("DELETE FROM secrets WHERE name = ?", [(name,) for name in GONE])
    db.close()
    assert b"is-gone-password" in path.read_bytes(), "else this test shows nothing"
    return path


def bytes_of(database: Path) -> bytes:
    return b"".join(file.read_bytes() for file in database.parent.iterdir() if file.name != "ballast")


async def opened(settings: Settings) -> list[str]:
    async with open_store(settings.state / "state.db") as store:
        sealer = await open_sealer(store, settings)
        return sorted(await store.read(lambda db: secrets.all_secrets(db, sealer)))


async def test_passwords_of_the_time_before_are_sealed_and_leave_no_trace(settings: Settings, database: Path) -> None:
    wanted = sorted(["plain-entropy-of-shop", *(f"is-{name}" for name in PLAIN)])
    for _ in range(2):
        assert await opened(settings) == wanted
        for trace in (b"is-plain-password", b"is-gone-password", b"plain-entropy"):
            assert trace not in bytes_of(database)
    assert settings.key_path.parent == settings.directory, "and not beside the database"


async def test_new_passwords_stand_nowhere_in_plain_text(settings: Settings) -> None:
    async with open_store(settings.state / "state.db") as store:
        sealer = await open_sealer(store, settings)
        row = (EnvironmentId(ProjectId("shop"), EnvironmentName("main")), "db", "root")
        secret = await store.write(lambda db: secrets.ensure_secret(db, sealer, *row))
        assert secret.encode() not in bytes_of(settings.state / "state.db")
        await store.write(lambda db: secrets.forget_secrets(db, row[0]))
        assert await store.read(lambda db: secrets.secret_of(db, sealer, *row)) is None


async def test_without_the_key_it_does_not_start_and_makes_no_new_one(settings: Settings, database: Path) -> None:
    await opened(settings)
    kept = settings.key_path.rename(settings.key_path.with_name("copy"))
    with pytest.raises(KeyMissing, match="their key is not there") as caught:
        await opened(settings)
    assert caught.value.hint
    assert not settings.key_path.exists()
    make_key(settings.key_path)
    with pytest.raises(KeyWrong, match="is not there"):
        await opened(settings)
    with settings.key_path.open("a") as file:
        file.write(kept.read_text())
    changed = await opened(settings)
    settings.key_path.unlink()
    with pytest.raises(KeyMissing):
        await opened(settings)
    assert len(changed) == len(PLAIN) + 1


async def test_a_start_that_was_cut_off_after_the_sealing_is_gone_on_with(settings: Settings, database: Path) -> None:
    async with open_store(database) as store:
        await open_sealer(store, settings)
        await store.write(lambda db: db.execute("DELETE FROM marks"))   # as if it had died before it could say so
    await opened(settings)
    async with open_store(database) as store:
        assert await store.read(secrets.is_scrubbed)
