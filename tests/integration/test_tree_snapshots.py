"""Trees of tenants, kept and made again what they were: exactly, whatever is in them and whatever a hook did."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deployd.confined import trees_program
from deployd.confined.beneath import NotBeneath, sync_disk
from deployd.confined.tree_format import tree_file
from deployd.confined.tree_restore import restore
from deployd.confined.tree_snapshot import Bounds, LeftOut, measure, take_snapshot
from deployd.confined.trees import remove_tree

OWNER = 23_456
MEGABYTE = 1_000_000


def bounds(**more: Any) -> Bounds:
    return Bounds(**{"size_bytes": 100 * MEGABYTE, "end": time.monotonic() + 60, "seconds": 60.0,
                     "room_bytes": 10**12, **more})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with all that people and hostile tenants have in mounts; nothing in it is new."""
    root = tmp_path / "data" / "shop"
    for folder in ("var/cache/deep/er", "var/log", "empty", "gone", "swapped"):
        (root / folder).mkdir(parents=True)
    (root / "var/log/system.log").write_text("one\n")
    (root / "var/cache/large").write_bytes(os.urandom(300_000))
    (root / "var/cache/deep/er/small").write_text("deep")
    (root / "gone/file").write_text("here")
    (root / "swapped/inner").write_text("inner")
    (root / "one").write_text("linked")
    os.link(root / "one", root / "two")
    os.link(root / "one", root / "var/three")
    os.symlink("../../etc/passwd", root / "link")
    os.symlink("/etc", root / "folder-link")
    os.mkfifo(root / "pipe", 0o640)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(root / "socket"))
    with (root / "sparse").open("wb") as file:
        file.seek(10 * MEGABYTE)
        file.write(b"end")
        file.truncate(20 * MEGABYTE)
    (root / os.fsdecode(b"\xff\nname")).write_text("no text")
    (root / "secret").write_text("s")
    (root / "secret").chmod(0o4600)
    (root / "var/log").chmod(0o2750)
    for at, folders, files in os.walk(root):
        for name in (*folders, *files):
            os.lchown(os.path.join(at, name), OWNER, OWNER + 1)
    (root / "secret").chmod(0o4600)
    time.sleep(0.05)   # longer than a tick of the kernel: what is older is known by its times
    return root


def seen(root: Path) -> dict[str, Any]:
    """All that can be seen of a tree, but for times of change and numbers of inodes."""
    found: dict[str, Any] = {}
    names: dict[int, str] = {}
    for at, folders, files in os.walk(root):
        for path in (Path(at), *(Path(at) / name for name in files), *(Path(at) / name for name in folders)):
            have = path.lstat()
            what: Any = None
            if stat.S_ISREG(have.st_mode):
                what = (path.read_bytes(), names.setdefault(have.st_ino, str(path)))
            elif path.is_symlink():
                what = os.readlink(path)
            found[str(path.relative_to(root))] = (
                stat.S_IFMT(have.st_mode), stat.S_IMODE(have.st_mode), have.st_uid, have.st_gid, have.st_mtime_ns, what,
            )
    return found


def kept(data: Path, tmp_path: Path) -> Path:
    to = tmp_path / "kept"
    to.mkdir()
    take_snapshot(data.parent, "shop", to, 0, bounds())
    return to


def back(data: Path, to: Path) -> int:
    return restore(data.parent, "shop", to, 0, to / "aside", OWNER)


def test_what_was_not_touched_is_not_touched(data: Path, tmp_path: Path) -> None:
    inodes = {path: path.lstat().st_ctime_ns for path in data.rglob("*")}
    before = seen(data)
    to = kept(data, tmp_path)
    assert back(data, to) == 0
    assert {path: path.lstat().st_ctime_ns for path in data.rglob("*")} == inodes
    assert seen(data) == before


def spoil(data: Path) -> None:
    (data / "var/.maintenance.flag").write_text("down")
    with (data / "var/log/system.log").open("a") as file:
        file.write("two\n")
    (data / "var/cache/large").write_bytes(b"short")
    (data / "var/cache/deep/er/small").unlink()
    (data / "gone/file").unlink()
    (data / "gone").rmdir()
    (data / "swapped/inner").unlink()
    (data / "swapped").rmdir()
    (data / "swapped").symlink_to("/etc")
    (data / "one").unlink()
    (data / "one").write_text("another one")
    (data / "two").write_text("changed")
    (data / "link").unlink()
    (data / "link").mkdir()
    (data / "link/in").write_text("in")
    (data / "pipe").unlink()
    (data / "socket").chmod(0)
    with (data / "sparse").open("r+b") as file:
        file.write(b"begin")
    (data / "secret").chmod(0o666)
    os.lchown(data / "secret", OWNER + 5, OWNER + 5)
    (data / "empty").chmod(0o700)
    os.lchown(data / "empty", OWNER + 5, OWNER + 5)
    (data / "new/folder").mkdir(parents=True)
    os.utime(data / "var/log", ns=(1, 1))
    same_size = data / os.fsdecode(b"\xff\nname")
    times = same_size.stat()
    same_size.write_text("NO TEXT")
    os.utime(same_size, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_all_that_a_hook_can_do_is_taken_back_exactly_and_may_be_again(data: Path, tmp_path: Path) -> None:
    before = seen(data)
    log = (data / "var/log/system.log").stat().st_ino
    to = kept(data, tmp_path)
    with (data / "var/log/system.log").open() as open_before:
        spoil(data)
        assert seen(data) != before
        assert back(data, to) > 0
        assert seen(data) == before
        assert open_before.read() == "one\n", "whoever has it open sees what it was"
    assert (data / "var/log/system.log").stat().st_ino == log
    assert (data / "sparse").stat().st_blocks * 512 < MEGABYTE
    spoil(data)
    back(data, to)
    back(data, to)
    assert seen(data) == before


def test_what_changed_in_the_very_moment_of_keeping_is_put_back_whatever_its_times_say(tmp_path: Path) -> None:
    """A change within the same tick of the kernel's clock has the same time."""
    data = tmp_path / "data" / "shop"
    data.mkdir(parents=True)
    file = data / "file"
    for _ in range(20):
        file.write_text("old")
        to = tmp_path / str(time.time_ns())
        to.mkdir()
        take_snapshot(data.parent, "shop", to, 0, bounds())
        file.write_text("new")
        back(data, to)
        assert file.read_text() == "old"


def test_a_link_that_was_removed_and_made_again_leads_where_it_led(tmp_path: Path) -> None:
    """ext4 gives it the number of the one before; elsewhere that is written down as if it had."""
    data, to = tmp_path / "data" / "shop", tmp_path / "kept"
    data.mkdir(parents=True)
    to.mkdir()
    (data / "current").symlink_to("releases/1")
    take_snapshot(data.parent, "shop", to, 0, bounds())
    before = (data / "current").lstat().st_ino
    (data / "current").unlink()
    (data / "current").symlink_to("releases/2")
    text = tree_file(to, 0).read_text()
    tree_file(to, 0).write_text(text.replace(f",{before},", f",{(data / 'current').lstat().st_ino},"))
    back(data, to)
    assert os.readlink(data / "current") == "releases/1"


def test_a_file_full_of_holes_is_left_out_before_its_pieces_are_all_counted(tmp_path: Path) -> None:
    data, to = tmp_path / "data" / "shop", tmp_path / "kept"
    data.mkdir(parents=True)
    to.mkdir()
    with (data / "holes").open("wb") as file:
        for number in range(50):
            file.seek(number * 2 * 65_536)
            file.write(b"x")
    take_snapshot(data.parent, "shop", to, 0, bounds(entries=51))
    with pytest.raises(LeftOut, match="pieces of files"):
        take_snapshot(data.parent, "shop", to, 1, bounds(entries=50))


def test_what_is_on_another_disk_than_the_snapshot_is_left_out_as_it_could_not_be_put_back(data: Path) -> None:
    with TemporaryDirectory(dir="/dev/shm") as other:
        assert os.stat(other).st_dev != data.stat().st_dev
        with pytest.raises(LeftOut, match="another disk"):
            take_snapshot(data.parent, "shop", Path(other), 0, bounds())
        assert os.listdir(other) == []


def test_what_was_put_back_is_on_the_disk_before_that_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    to, synced = kept(data, tmp_path), list[tuple[int, str]]()
    monkeypatch.setattr(trees_program, "sync_disk", lambda folder: synced.append(
        (os.fstat(folder).st_dev, (data / "var/log/system.log").read_text() + capsys.readouterr().out),
    ))
    spoil(data)
    trees_program.restore_all({
        "root": str(data.parent), "from": str(to), "folders": [[0, "shop"]], "aside": str(to / "aside"), "owner": OWNER,
    })
    assert synced == [(data.stat().st_dev, "one\n")]
    assert '"changed"' in capsys.readouterr().out


def test_a_disk_is_synced_by_a_descriptor_or_refuses(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    sync_disk(handle)
    os.close(handle)
    with pytest.raises(OSError, match="syncfs"):
        sync_disk(handle)


def test_what_stands_on_the_way_out_leads_nowhere(data: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "theirs").write_text("theirs")
    to = kept(data, tmp_path)
    (data / "var").rename(data / "elsewhere")
    (data / "var").symlink_to(outside)
    (data / "sparse").unlink()
    (data / "sparse").symlink_to(outside / "theirs")
    back(data, to)
    assert [path.name for path in outside.iterdir()] == ["theirs"]
    assert (outside / "theirs").read_text() == "theirs"
    assert (data / "var/cache/deep/er/small").read_text() == "deep"
    data.rename(tmp_path / "data" / "moved")
    data.symlink_to(outside)
    with pytest.raises(NotBeneath):
        back(data, to)
    with pytest.raises(NotBeneath):
        take_snapshot(data.parent, "shop", tmp_path, 7, bounds())
    assert (outside / "theirs").read_text() == "theirs"


@pytest.fixture
async def deep(tmp_path: Path) -> Any:
    root = tmp_path / "deep" / "shop"
    root.mkdir(parents=True)
    held = os.open(root, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=held)
        inner = os.open("d", os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = inner
    os.close(held)
    yield root
    await remove_tree(root)


def test_what_does_not_fit_is_left_out_with_its_reason_and_leaves_nothing_behind(
    data: Path, deep: Path, tmp_path: Path,
) -> None:
    to = tmp_path / "kept"
    to.mkdir()
    for limit, said in (
        ({"size_bytes": 200_000}, "snapshot_mounts_mb"), ({"entries": 5}, "files"), ({"end": 0.0}, "visitors wait"),
        ({"room_bytes": 1000}, "too little room"),
    ):
        some = bounds(**limit)
        with pytest.raises(LeftOut, match=said):
            take_snapshot(data.parent, "shop", to, 0, some)
        assert (list(to.iterdir()), some.spent_bytes) == ([], 0)
    for early in ({"size_bytes": 200_000}, {"entries": 5}):
        with pytest.raises(LeftOut):
            measure(data.parent, "shop", bounds(**early))
    for way in (
        lambda: take_snapshot(deep.parent, "shop", to, 0, bounds()), lambda: measure(deep.parent, "shop", bounds()),
    ):
        with pytest.raises(LeftOut, match="200 deep"):
            way()
    assert list(to.iterdir()) == []


def test_a_tree_that_a_hook_made_deep_is_moved_away_whole(data: Path, deep: Path, tmp_path: Path) -> None:
    before = seen(data)
    to = kept(data, tmp_path)
    (deep / "d").rename(data / "d")
    back(data, to)
    assert seen(data) == before
    [moved] = [path for path in (to / "aside").iterdir() if path.is_dir()]
    moved.rename(deep / "d")


@pytest.fixture
def changing(data: Path) -> Iterator[None]:
    """Somebody who goes on writing, and swaps folders for links, as long as the test runs."""
    end = os.fork()
    if end == 0:
        while True:
            try:
                os.rename(data / "var", data / "v")
                os.symlink("/etc", data / "var")
                (data / "gone/file").write_text(str(time.time_ns()))
                os.unlink(data / "var")
                os.rename(data / "v", data / "var")
            except OSError:
                continue
    yield
    os.kill(end, 9)
    os.waitpid(end, 0)


def test_somebody_who_goes_on_writing_harms_nobody_else(data: Path, changing: None, tmp_path: Path) -> None:
    etc = set(os.listdir("/etc"))
    for number in range(30):
        to = tmp_path / f"kept{number}"
        to.mkdir()
        take_snapshot(data.parent, "shop", to, 0, bounds())
        assert b"root:" not in (to / "0.content").read_bytes()
        try:
            back(data, to)
        except OSError:
            continue   # told, and tried again by who asked for it
    assert set(os.listdir("/etc")) == etc
