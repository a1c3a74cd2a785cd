"""The store on a real disk: writes that come together share a sync, an acknowledged one survives a kill -9."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deployd.errors import DeployError
from deployd.state import migrations
from deployd.state import store as store_module
from deployd.state.store import StateLocked, StateTooNew, StateUnreadable, StateUnwritable, Store, open_store

Write = Callable[[sqlite3.Connection], int]


def adding(name: str) -> Write:
    def add(db: sqlite3.Connection) -> int:
        return db.execute("INSERT INTO projects (id, entropy) VALUES (?, 'x')", (name,)).rowcount
    return add


def names(db: sqlite3.Connection) -> set[str]:
    return {row["id"] for row in db.execute("SELECT id FROM projects")}


async def test_what_was_written_is_read_after_a_restart(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db") as store:
        await store.write(adding("shop"))
        assert await store.read(names) == {"shop"}
    async with open_store(tmp_path / "state.db") as store:
        assert await store.read(names) == {"shop"}
        settings = await store.write(lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0]
                                                 for name in ("journal_mode", "synchronous", "foreign_keys")])
    assert settings == ["wal", 2, 1]


async def test_a_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    def half(db: sqlite3.Connection) -> None:
        adding("half")(db)
        raise KeyError("bug")

    async with open_store(tmp_path / "state.db") as store:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_outcome(store, write)) for write in (
                adding("one"), adding("one"), half, lambda db: db.execute("SELEKT"), adding("two"),
            )]
        found = [task.result() for task in tasks]
        assert found[0] == found[4] == 1
        assert [type(error) for error in found[1:4]] == [sqlite3.IntegrityError, KeyError, sqlite3.OperationalError]
        assert await store.read(names) == {"one", "two"}


async def _outcome(store: Store, write: Callable[[sqlite3.Connection], object]) -> object:
    try:
        return await store.write(write)
    except Exception as error:
        return error


async def test_many_writers_are_served_by_few_syncs(tmp_path: Path) -> None:
    commits = 0
    async with open_store(tmp_path / "state.db") as store:
        def trace(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        store._write_connection.set_trace_callback(trace)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(5_000):
                group.create_task(store.write(adding(f"p{number}")))
        seconds = time.monotonic() - began
        store._write_connection.set_trace_callback(None)
        assert len(await store.read(names)) == 5_000
    assert commits < 50
    assert 5_000 / seconds > 1_000, f"{5_000 / seconds:.0f} writes a second"


async def test_readers_are_not_held_up_by_a_writer_and_may_not_write(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db") as store:
        def slow(db: sqlite3.Connection) -> None:
            adding("slow")(db)
            time.sleep(0.3)

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(store.write(slow))
            await asyncio.sleep(0.05)
            assert await store.read(names) == set()   # what is not committed is not seen
            assert not writing.done()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await store.read(adding("x"))


async def test_a_caller_that_leaves_does_no_harm(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db") as store:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await store.write(adding("left"))
        await store.write(adding("stays"))
        assert "stays" in await store.read(names)


async def test_writes_asked_for_before_the_end_are_written(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        async with open_store(tmp_path / "state.db") as store:
            for number in range(2_000):
                group.create_task(store.write(adding(f"p{number}")))
            await asyncio.sleep(0)
        with pytest.raises(StateUnwritable):
            await store.write(adding("late"))
    async with open_store(tmp_path / "state.db") as store:
        assert len(await store.read(names)) == 2_000


async def test_a_second_daemon_is_refused_in_one_sentence(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db"):
        with pytest.raises(StateLocked) as refused:
            async with open_store(tmp_path / "state.db"):
                pass
    assert refused.value.what == f"another deployd (process {os.getpid()}) works on {tmp_path}"
    async with open_store(tmp_path / "state.db"):
        pass


async def test_an_error_of_the_daemon_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="port"):
        async with open_store(tmp_path / "state.db"):
            raise DeployError("the port is taken")


async def test_the_database_of_a_newer_deployd_is_refused(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db") as store:
        await store.write(lambda db: db.execute("PRAGMA user_version"))
    with sqlite3.connect(tmp_path / "state.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(StateTooNew, match="schema 999"):
        async with open_store(tmp_path / "state.db"):
            pass


async def test_migrations_are_made_once_in_order_and_wholly_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_store(tmp_path / "state.db") as store:
        await store.write(adding("kept"))
    good = "CREATE TABLE second (id INTEGER); INSERT INTO second VALUES (2);"
    broken = "CREATE TABLE third (id INTEGER); INSERT INTO nowhere VALUES (3);"
    monkeypatch.setattr(store_module, "MIGRATIONS", (*migrations.MIGRATIONS, good, broken))
    with pytest.raises(StateUnreadable, match="nowhere"):
        async with open_store(tmp_path / "state.db"):
            pass
    monkeypatch.setattr(store_module, "MIGRATIONS", (*migrations.MIGRATIONS, good))
    async with open_store(tmp_path / "state.db") as store:
        tables = await store.read(lambda db: {row["name"] for row in db.execute("SELECT name FROM sqlite_master")})
        assert await store.read(lambda db: [row["id"] for row in db.execute("SELECT id FROM second")]) == [2]
        assert await store.read(names) == {"kept"}
    assert "third" not in tables


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(StateUnreadable, match="not a database"):
        async with open_store(tmp_path / "state.db"):
            pass
    async with open_store(tmp_path / "other.db"):   # the lock was given back
        pass


async def test_a_state_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateUnwritable, match="cannot write into"):
        async with open_store(tmp_path / "state" / "state.db"):
            pass


async def test_a_full_disk_is_told_and_nothing_of_the_write_is_kept(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db") as store:
        await store.write(adding("before"))
        pages = await store.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        await store.write(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())

        def much(db: sqlite3.Connection) -> None:
            for number in range(1_000):
                adding(f"{number}{'x' * 1_000}")(db)

        with pytest.raises(StateUnwritable, match="full"):
            await store.write(much)
        assert await store.read(names) == {"before"}
        await store.write(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
        await store.write(adding("after"))   # there is room again
        assert await store.read(names) == {"before", "after"}


async def test_those_who_wrote_beside_the_one_that_filled_the_disk_are_told_too(tmp_path: Path) -> None:
    """They share its transaction; to none of them anything is promised that is not kept."""
    async with open_store(tmp_path / "state.db") as store:
        pages = await store.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        await store.write(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
        writes = [adding("small"), *(adding(f"{number}{'x' * 3_000}") for number in range(20))]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_outcome(store, write)) for write in writes]
        promised = {str(number) for number, task in enumerate(tasks) if task.result() == 1}
        assert all(task.result() == 1 or isinstance(task.result(), StateUnwritable) for task in tasks)
        assert len(await store.read(names)) == len(promised)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_what_must_be_said_of_a_full_disk_can_still_be_written(small_disk: Path) -> None:
    """A failure has to be in the journal before the files that filled the disk may go: one room is kept for it."""
    async with open_store(small_disk / "state.db") as store:
        await store.write(adding("before"))
        fill(small_disk / "of a build")
        await store.write(adding("the build failed: the disk is full"))
        fill(small_disk / "more of it")
        with pytest.raises(StateUnwritable):   # the room was given once
            await store.write(lambda db: [adding(f"{number}{'x' * 1_000}")(db) for number in range(1_000)])
        for file in small_disk.iterdir():
            if file.name.startswith(("of", "more")):
                file.unlink()
        await store.write(adding("there is room again"))
        fill(small_disk / "of another build")
        await store.write(adding("that failed too"))
        assert len(await store.read(names)) == 4


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65_536))


WRITER = """
import asyncio, sys
from pathlib import Path
from deployd.state.store import open_store

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        async def write_on(who):
            number = 0
            while True:
                name = f"{who}-{number}"
                await store.write(lambda db: db.execute("INSERT INTO projects (id, entropy) VALUES (?, 'x')", (name,)))
                print(name, flush=True)   # acknowledged
                number += 1
        async with asyncio.TaskGroup() as group:
            for who in range(20):
                group.create_task(write_on(who))

asyncio.run(main())
"""


@pytest.mark.parametrize("seconds", [0.4, 0.7, 1.0])
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, seconds: float) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "state.db")], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    first = writer.stdout.readline()
    await asyncio.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    acknowledged = {line.decode() for line in (first + rest).split(b"\n")[:-1]}
    assert len(acknowledged) > 20
    async with open_store(tmp_path / "state.db") as store:   # the lock died with its owner
        assert acknowledged <= await store.read(names)
        check = await store.read(lambda db: db.execute("PRAGMA integrity_check").fetchone()[0])
    assert check == "ok"
