"""Readers that meet what was made to do harm: they are ended, told about, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deployd.ids import ProjectId
from deployd.project.model import ReadResult
from deployd.project.tree.limits import TreeLimits, TreeTooLarge
from deployd.reading.bounds import (
    ConfigurationOverran,
    ConfigurationTooLarge,
    OfferUnusable,
    ReadersAbsent,
    TooManyReadings,
)
from deployd.reading.reader import Asked
from deployd.reading.reader_pool import MOST_PLANS_WAITING, ReaderPool, open_reader_pool
from deployd.reading.trees import LONGEST_PATH_BYTES

MALLORY, NEIGHBOUR = ProjectId("mallory"), ProjectId("neighbour")
APP = b"name: app\ntype: python:3.13\nweb:\n  commands:\n    start: python3 server.py\n"
SLOW = APP + b'  locations:\n    /:\n      root: a\n      rules:\n' + "".join(
    f"        '(?i){number}{'[Ā-＀]' * 150}': {{allow: true}}\n" for number in range(400)
).encode()
"""Small and valid; each of its patterns takes Python some tenths of a second."""
ID = "a" * 40


@pytest.fixture
async def readers(tmp_path: Path) -> AsyncIterator[ReaderPool]:
    async with open_reader_pool(tmp_path) as readers:
        yield readers


def entry(path: str, size: int, mode: str = "100644", kind: str = "blob") -> bytes:
    return f"{mode} {kind} {ID} {size:>7}\t{path}\0".encode()


async def read(
    readers: ReaderPool, content: bytes, project: ProjectId = MALLORY, *, limits: TreeLimits | None = None,
    listing: bytes = b"", size: int | None = None,
) -> ReadResult:
    """A commit of one configuration file and of whatever `listing` says besides."""
    async def load(name: str, most_bytes: int) -> bytes:
        return content

    listing += entry(".platform.app.yaml", len(content) if size is None else size)
    result, _ = await readers.read_commit(project, Asked(limits or TreeLimits(), listing=listing), load)
    return result


def processes(*words: str) -> list[int]:
    """Processes whose command line has all the words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if all(word in command for word in words):
            found.append(int(folder.name))
    return sorted(found)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_reading_that_takes_too_long_is_ended_and_keeps_nobody_else_waiting(readers: ReaderPool) -> None:
    ended: list[str] = []

    async def hostile() -> None:
        with pytest.raises(ConfigurationOverran) as caught:
            await read(readers, SLOW)
        ended.append(caught.value.what)
        assert caught.value.hint

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(hostile())
        await asyncio.sleep(0.2)
        for _ in range(3):
            assert (await read(readers, APP, NEIGHBOUR)).config is not None
        assert ended == [], "the neighbour was served while the hostile ones were read"
    for what in ended:   # on a machine where everybody works, a minute is over first
        assert what.endswith(("more than 10 s of processor time, and was ended", "not done in time, and was ended"))


async def test_a_reading_that_takes_too_much_memory_is_ended(readers: ReaderPool) -> None:
    listing = b"".join(entry(str(number), 1) for number in range(2_000_000))
    with pytest.raises(ConfigurationOverran) as caught:
        await read(readers, APP, listing=listing)
    assert "1,024 MB of memory" in caught.value.what


async def test_a_reading_that_waits_for_ever_is_ended(tmp_path: Path) -> None:
    async def hang(name: str, most_bytes: int) -> bytes:
        await asyncio.sleep(3)
        return APP

    async with open_reader_pool(tmp_path, wall_seconds=1) as readers:
        with pytest.raises(ConfigurationOverran) as caught:
            await readers.read_commit(MALLORY, Asked(TreeLimits(), listing=entry(".platform.app.yaml", 9)), hang)
        assert caught.value.what == "reading the configuration was not done in time, and was ended"
        assert (await read(readers, APP)).config is not None


async def test_a_reading_that_nobody_waits_for_is_ended(readers: ReaderPool, tmp_path: Path) -> None:
    await read(readers, APP)
    await until(lambda: len(processes("deployd.reading.fork_server", str(tmp_path))) == 1)
    fork_server = processes("deployd.reading.fork_server", str(tmp_path))
    asking = asyncio.Event()

    async def load(name: str, most_bytes: int) -> bytes:
        asking.set()
        await asyncio.sleep(3600)
        return b""

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(readers.read_commit(
            MALLORY, Asked(TreeLimits(), listing=entry(".platform.app.yaml", 9)), load,
        ))
        await asking.wait()
        assert len(processes("deployd.reading.fork_server", str(tmp_path))) == 2
        reading.cancel()
    await until(lambda: processes("deployd.reading.fork_server", str(tmp_path)) == fork_server)


async def test_a_fork_server_that_dies_is_replaced_and_costs_nobody_a_reading(
    readers: ReaderPool, tmp_path: Path,
) -> None:
    await read(readers, APP)
    await until(lambda: len(processes("deployd.reading.fork_server", str(tmp_path))) == 1)
    (fork_server,) = processes("deployd.reading.fork_server", str(tmp_path))
    times = 0

    async def load(name: str, most_bytes: int) -> bytes:
        nonlocal times
        times += 1
        if times == 1:
            os.kill(fork_server, signal.SIGKILL)
            await until(lambda: fork_server not in processes("deployd.reading.fork_server", str(tmp_path)))
        return APP

    result, _ = await readers.read_commit(
        NEIGHBOUR, Asked(TreeLimits(), listing=entry(".platform.app.yaml", len(APP))), load,
    )
    assert result.config is not None
    assert times == 2
    await until(lambda: len(processes("deployd.reading.fork_server", str(tmp_path))) == 1)
    assert processes("deployd.reading.fork_server", str(tmp_path)) != [fork_server]


async def test_readers_end_with_the_daemon(tmp_path: Path) -> None:
    async with open_reader_pool(tmp_path) as readers:
        await read(readers, APP)
    await until(lambda: processes("deployd.reading.fork_server", str(tmp_path)) == [])


async def test_a_fork_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "readers").write_text("in the way")
    async with open_reader_pool(tmp_path) as readers:
        with pytest.raises(ReadersAbsent) as caught:
            await read(readers, APP)
    assert "FileExistsError" in "\n".join(caught.value.evidence)


@pytest.mark.parametrize(("limits", "listing", "said"), [
    (TreeLimits(files=3), b"".join(entry(str(number), 1) for number in range(3)), "more than 3 files and folders"),
    (TreeLimits(size_bytes=5_000_000), entry("large", 6_000_000), "6 MB, at most 5 MB"),
    (TreeLimits(), entry("a/" * LONGEST_PATH_BYTES, 1), "a path of 8,000 characters"),
], ids=["files", "bytes", "path"])
async def test_a_commit_that_is_too_large_is_refused(
    readers: ReaderPool, limits: TreeLimits, listing: bytes, said: str,
) -> None:
    with pytest.raises(TreeTooLarge) as caught:
        await read(readers, APP, limits=limits, listing=listing)
    assert said in caught.value.what


async def test_sizes_that_the_listing_does_not_tell_are_counted_too(readers: ReaderPool) -> None:
    """The listing says what git says; a daemon that hands in more than it says ends the reading all the same."""
    async def load(name: str, most_bytes: int) -> bytes:
        return b"x" * 20_000_000

    listing = entry(".platform.app.yaml", 1) + entry(".platform/routes.yaml", 1)
    with pytest.raises(ConfigurationTooLarge):
        await readers.read_commit(MALLORY, Asked(TreeLimits(), listing=listing), load)


async def test_one_project_has_few_plans_waiting(readers: ReaderPool) -> None:
    refused: list[str] = []
    offer = Asked(TreeLimits(), offer=json.dumps({"branch": "main"}).encode())

    async def plan() -> None:
        try:
            await readers.read_offer(MALLORY, offer)
        except TooManyReadings as error:
            refused.append(error.what)

    async with asyncio.TaskGroup() as group:
        for _ in range(MOST_PLANS_WAITING + 5):
            group.create_task(plan())
    assert len(refused) == 5
    assert (await readers.read_offer(MALLORY, offer)).branch == "main"


@pytest.mark.parametrize(("body", "said"), [
    (b"{", "body"), (b"[]", "body"), (b"{}", "branch"), (b'{"branch": ""}', "branch"),
    (b'{"branch": "main", "paths": "a"}', "paths"), (b'{"branch": "main", "files": {"a": "!"}}', "not base64"),
    (b'{"branch": "main", "more": 1}', "more"), (b'{"branch": "main", "listings": {"": 1}}', "listings"),
    (b"\xff", "body"), (b'{"branch": "main", "paths": ' + b"[" * 100_000, "body"),
])
async def test_an_offer_that_is_none_is_told(readers: ReaderPool, body: bytes, said: str) -> None:
    with pytest.raises(OfferUnusable) as caught:
        await readers.read_offer(MALLORY, Asked(TreeLimits(), offer=body))
    assert said in "\n".join(caught.value.evidence)


PROBE = '''\
import ctypes, encodings.idna, json, os, signal, socket, sys
from deployd.reading import reader
from deployd.reading import fork_server

port = int(sys.argv[2])


def answer_of(attempt):
    try:
        return repr(attempt())
    except BaseException as error:
        return type(error).__name__


def probe(connection, uid):
    reader.confine(uid)
    said = {
        "password file": answer_of(lambda: open("/etc/shadow").read()),
        "any file": answer_of(lambda: open("/etc/hostname").read()),
        "new file": answer_of(lambda: open("/x", "w")),
        "root": answer_of(lambda: os.listdir("/")),
        "up": answer_of(lambda: os.listdir("../../../..")),
        "program": answer_of(lambda: os.execv("/bin/sh", ["sh"])),
        "fork": answer_of(os.fork),
        "root again": answer_of(lambda: os.setuid(0)),
        "mount": answer_of(lambda: ctypes.CDLL(None).mount(b"a", b"/", b"tmpfs", 0, None)),
        "chroot": answer_of(lambda: os.chroot("/")),
        "parent": answer_of(lambda: os.kill(os.getppid(), signal.SIGTERM)),
        "first process": answer_of(lambda: os.kill(1, 0)),
        "loopback": answer_of(lambda: socket.create_connection(("127.0.0.1", port), 2)),
        "engine": answer_of(lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")),
        "own socket": answer_of(lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1] + "/../readers.sock")),
        "memory": answer_of(lambda: bytearray(2 << 30)),
        "descriptors": [number for number in range(100) if answer_of(lambda: os.fstat(number).st_dev) != "OSError"],
        "users": [os.getuid(), os.getgid(), *os.getgroups()],
    }
    connection.sendall(json.dumps(said).encode())


fork_server.leave_the_host()
os.chroot(sys.argv[1])
os.chdir("/")
ours, theirs = socket.socketpair()
reader.serve = probe
if os.fork() == 0:
    fork_server.be_a_reader(theirs, 2_000_000_001)
theirs.close()
os.wait()
sys.stdout.write(ours.recv(65536).decode())
'''


def test_a_reader_that_was_taken_over_reaches_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ran = subprocess.run(
            [sys.executable, "-c", PROBE, str(root), str(listening.getsockname()[1])], capture_output=True, check=True,
            cwd=Path(__file__).parents[2],
        )
    said = json.loads(ran.stdout)
    assert said == {
        "password file": "PermissionError", "any file": "PermissionError", "new file": "PermissionError",
        "root": "PermissionError", "up": "PermissionError", "program": "PermissionError", "fork": "BlockingIOError",
        "root again": "PermissionError", "mount": "-1", "chroot": "PermissionError", "parent": "PermissionError",
        "first process": "PermissionError", "loopback": "OSError", "engine": "PermissionError",
        "own socket": "PermissionError", "memory": "MemoryError", "descriptors": [0, 1, 2, 3],
        "users": [2_000_000_001, 2_000_000_001],
    }
    assert os.listdir(root) == []
