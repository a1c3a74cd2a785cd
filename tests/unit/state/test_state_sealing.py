"""A sealed secret opens with its key, in its row, and nowhere else; a key file is root's alone or it is refused."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.state import secrets
from deployd.state.key_file import KeyUnusable, key_place, make_key, read_keys
from deployd.state.sealing import KeyWrong, Sealer, is_sealed, key_name
from tests.doubles.store import MemoryStore

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
ROW = (ProjectId("shop"), EnvironmentName("main"), "db", "root")


@given(st.text(), st.lists(st.text(), max_size=4))
def test_what_is_sealed_is_opened_again(text: str, about: list[str]) -> None:
    text = text.encode("utf-8", "replace").decode()
    about = [word.encode("utf-8", "replace").decode() for word in about]
    sealer = Sealer([ONE])
    sealed = sealer.seal(text, *about)
    assert is_sealed(sealed)
    assert sealer.open(sealed, *about) == text
    assert len(text) < 4 or text not in sealed
    assert sealer.seal(text, *about) != sealed, "the same password twice does not look the same"


@pytest.mark.parametrize("about", [
    ("shop", "main", "db", "mysql"), ("shop", "dev", "db", "root"), ("blog", "main", "db", "root"),
    ("shop", "main", "cache", "root"), ("shop", "main", "db"), ("shop", "main", "db", "root", ""),
    ("shop\", \"main", "db", "root"), (),
])
def test_a_row_that_was_moved_does_not_open(about: tuple[str, ...]) -> None:
    sealed = Sealer([ONE]).seal("very-secret", *ROW)
    with pytest.raises(KeyWrong, match="moved"):
        Sealer([ONE]).open(sealed, *about)


@pytest.mark.parametrize("place", range(9, 60, 5))
def test_a_row_that_was_changed_does_not_open(place: int) -> None:
    sealed = Sealer([ONE]).seal("very-secret", *ROW)
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1:]
    with pytest.raises(KeyWrong):
        Sealer([ONE]).open(changed, *ROW)


def test_another_key_says_which_one_is_missing() -> None:
    sealed = Sealer([ONE]).seal("very-secret", *ROW)
    with pytest.raises(KeyWrong, match=key_name(ONE)):
        Sealer([TWO]).open(sealed, *ROW)
    assert Sealer([TWO, ONE]).open(sealed, *ROW) == "very-secret"


def test_a_change_of_keys_seals_everything_anew_and_the_old_one_can_go() -> None:
    db = MemoryStore().db
    old = secrets.ensure_secret(db, Sealer([ONE]), EnvironmentId(*ROW[:2]), *ROW[2:])
    entropy = secrets.ensure_entropy(db, Sealer([ONE]), ROW[0])
    assert secrets.seal_all(db, Sealer([TWO, ONE])) == 2
    assert secrets.seal_all(db, Sealer([TWO, ONE])) == 0
    assert secrets.secret_of(db, Sealer([TWO]), EnvironmentId(*ROW[:2]), *ROW[2:]) == old
    assert secrets.entropy_of(db, Sealer([TWO]), ROW[0]) == entropy


def test_with_a_wrong_key_nothing_is_changed() -> None:
    db = MemoryStore().db
    secrets.ensure_secret(db, Sealer([ONE]), EnvironmentId(*ROW[:2]), *ROW[2:])
    before = list(map(tuple, db.execute("SELECT * FROM secrets")))
    with pytest.raises(KeyWrong):
        secrets.seal_all(db, Sealer([TWO]))
    assert list(map(tuple, db.execute("SELECT * FROM secrets"))) == before


def test_a_made_key_is_roots_alone_and_is_read_again(tmp_path: Path) -> None:
    place = tmp_path / "folder" / "key"
    (key,) = make_key(place)
    assert len(key) == 32
    assert place.stat().st_mode & 0o777 == 0o600
    assert read_keys(place) == [key]
    assert [path.name for path in place.parent.iterdir()] == ["key"]
    with pytest.raises(KeyUnusable):
        make_key(place)
    assert read_keys(place) == [key], "a key is never written over"


def test_the_first_line_seals_and_the_others_open(tmp_path: Path) -> None:
    place = tmp_path / "key"
    place.touch(mode=0o600)
    place.write_text("# new\n" + "\n\n".join(base64.b64encode(key).decode() for key in (TWO, ONE)) + "\n")
    assert read_keys(place) == [TWO, ONE]
    assert read_keys(tmp_path / "none") == []


@pytest.mark.parametrize(("text", "mode", "where"), [
    ("", 0o600, ""), ("# nothing\n", 0o600, ""), ("nonsense\n", 0o600, ":1"), ("\n!!\n", 0o600, ":2"),
    (base64.b64encode(bytes(16)).decode(), 0o600, ":1"), (base64.b64encode(ONE).decode(), 0o640, ""),
    (base64.b64encode(ONE).decode(), 0o604, ""),
])
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, text: str, mode: int, where: str) -> None:
    place = tmp_path / "key"
    place.write_text(text)
    place.chmod(mode)
    with pytest.raises(KeyUnusable) as caught:
        read_keys(place)
    assert caught.value.where == f"{place}{where}"
    assert caught.value.hint


def test_a_link_and_a_pipe_are_no_key_files(tmp_path: Path) -> None:
    make_key(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "folder", "pipe"):
        with pytest.raises(KeyUnusable):
            read_keys(tmp_path / name)


def test_a_credential_of_systemd_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert key_place(Path("/etc/deployd/key")) == Path("/etc/deployd/key")
    (tmp_path / "deployd-key").touch()
    assert key_place(Path("/etc/deployd/key")) == tmp_path / "deployd-key"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert key_place(Path("/x")) == Path("/x")
    assert os.environ.get("CREDENTIALS_DIRECTORY") is None
