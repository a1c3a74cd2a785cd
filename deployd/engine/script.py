"""How a script (a build's step, a hook, a cron) runs in a container, so that it survives a restart of the daemon.

It runs under a small wrapper that leaves what matters in a folder of the host, which the container sees. The folder is
root's, and so is every name in it: what runs in the container can write into some of the files, and can neither replace
one nor make another. So it can lie about its own output and its own end, which is its own business, and no more.

    <folder>/<name>/script     what runs; written before, never changed once it has started
                   /lock       held by the wrapper as long as it lives; the kernel lets go of it when it is killed
                   /begun      since when it runs, as the daemon saw it: root's alone
           and written inside:
                   /started    the wrapper has the lock; another one, or a second start, ends at once
                   /pid        process group of the script, as the container counts
                   /pipe       from the script to its output
                   /output     both streams, in order; the first OUTPUT_BYTES of them
                   /status     how it ended, in one write over blanks

    prepared ──► started ──► ended        status is there
                    └──────► lost         no status, and nobody holds the lock

Surprise: whether a script is alive is asked of the kernel, by the lock, and not of Docker. A host's lock and a
container's are the same, it costs nothing, and it is right while Docker is being restarted.

A folder that is not root's is of a version from before this was so (or somebody's trap): nothing in it is read. Its
script counts as lost.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deployd.confined.beneath import FILE, NotBeneath, is_roots, open_folder, read_file, write_file
from deployd.engine.errors import NotRunning, NotThere, ScriptLost, ScriptOverran
from deployd.engine.observed import ContainerSeen, ExecResult
from deployd.process import LineCutter
from deployd.units import MEGABYTE

SCRIPTS_FOLDER = "/run/deployd/scripts"
"""Where a container sees `<folder>`."""
CHUNK_BYTES = 1_000_000
SLICE_BYTES = 2_048
"""Is cut into lines and told at once, which may be a thousand lines; then others get their turn in the loop."""
OUTPUT_BYTES = 64 * MEGABYTE
"""A script that writes for ever must not fill the disk. What it writes beyond this is read, so that it can go on, and
not kept."""
KEPT_BACK_BYTES = 65_536
"""Of the disk, for what a script says of it: one that fills the disk can still say so."""
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.25
LOOK_SECONDS = 1.0
START_SECONDS = 30.0
"""From starting a container or a command until its wrapper has the lock; a third of a second when nothing is busy."""
END_SECONDS = 10.0
"""Between asking a script to end and killing it."""
EVIDENCE_LINES = 20
LEFT_OPEN_SECONDS = 1
"""How long a script that has ended is waited for when something that it left behind still holds its output."""
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Of the wrapper itself: an application's own `cat` must not come between. The script has its container's."""
BLANKS = " " * 12
STATUS = re.compile(rb"(\d{1,3})\n")
READ_BYTES = 64

WRAPPER = rf"""
folder=$1; path=$PATH; PATH={SYSTEM_PATH}
exec 9<"$folder/lock" && flock -w 5 9 && ! grep -qs yes "$folder/started" || exit 125
echo yes 1<>"$folder/started"
(
    trap '' TERM INT XFSZ
    exec 9>&- 8<"$folder/script" && flock 8 && exec <"$folder/pipe"
    (ulimit -f {OUTPUT_BYTES // 512} && exec cat >>"$folder/output" 2>/dev/null)
    exec cat >/dev/null
) &
setsid /bin/sh -c 'echo $$ >"$0/pid"; PATH=$1 exec /bin/sh "$0/script"' "$folder" "$path" \
    >"$folder/pipe" 2>&1 </dev/null 9>&- &
script=$!
trap 'kill -s TERM -- "-$script"' TERM INT
wait "$script"; status=$?
while kill -0 "$script" 2>/dev/null; do wait "$script"; status=$?; done
flock -w {LEFT_OPEN_SECONDS} "$folder/script" true
echo "$status" 1<>"$folder/status"
exit "$status"
"""
"""In POSIX sh with flock and setsid of util-linux. The script runs in a session of its own, so that all that it started
can be ended with it, and without the lock, so that a process that it left behind does not look like the script.
A wrapper that comes second ends with 125 and writes nothing. The status is written over blanks that are there from the
beginning: a script that fills the disk leaves no room for another byte.
The output goes through a pipe, whose reader holds a lock (on `script`) until the last writer is gone: the status comes
when all of the output is there. A process that was left behind may write on, and is waited for only a moment. The bound
is the kernel's, on the size of what the reader writes, because every program that counts bytes holds lines back."""
ONE_AFTER_THE_OTHER = r"""
wrapper=$1; shift
for folder; do
    case $(head -n 1 "$folder/status") in
    0) continue ;;
    [1-9]*) exit 1 ;;
    esac
    /bin/sh -c "$wrapper" deployd-script "$folder" || exit
done
"""
"""Several scripts, as long as each ends with 0. One that has ended is not begun again."""
END = f'PATH={SYSTEM_PATH}; kill -s "$2" -- "-$(cat "$1/pid")"'


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and where its traces are on the host."""

    folder: Path
    """`<folder>/<name>`; `<folder>` is what the container must see at SCRIPTS_FOLDER."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def inside(self) -> str:
        """Its folder as the container sees it."""
        return f"{SCRIPTS_FOLDER}/{self.name}"


class Engine(Protocol):
    """The calls that scripts need."""

    async def container(self, name: str, /) -> ContainerSeen | None: ...
    async def execute(self, name: str, argv: tuple[str, ...], /, *, user: str | None) -> ExecResult: ...
    async def start_detached(
        self, name: str, argv: tuple[str, ...], /, *, user: str | None, environment: Mapping[str, str] | None,
        working_folder: str | None,
    ) -> str: ...


def prepare(folder: Path, name: str, text: str, *, group: int) -> Script:
    """Write a script where a container will find it. One that is there already keeps its text and its traces.

    Args:
        folder: Root's, or made so: that of a version from before this was so is taken from its application.
        group: Who runs it in the container, and so writes into some of its files.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open_folder(folder) as held:
        if not is_roots(held):
            os.fchown(held, 0, 0)
        os.fchmod(held, 0o755)                 # whatever our umask is: the container's user has to get through
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=held)
        with suppress(NotBeneath), open_folder(folder, name) as own:
            if is_roots(own) and read_file(own, "begun", 1) is None:
                _lay_out(own, text, group)
    return Script(folder / name)


def _lay_out(folder: int, text: str, group: int) -> None:
    """Every file that there will be; open to the container last, so that what it sees is whole."""
    if os.fstat(folder).st_mode & 0o001:
        return
    for name, content, mode in (
        ("script", text, 0o644), ("lock", "", 0o644), ("started", "no \n", 0o660), ("pid", "", 0o660),
        ("output", "", 0o660), ("status", BLANKS, 0o660),
    ):
        room = KEPT_BACK_BYTES if name == "output" else 0
        write_file(folder, name, content.encode(), mode=mode, group=group, room_bytes=room)
    with suppress(FileExistsError):
        os.mkfifo("pipe", 0o600, dir_fd=folder)
    os.chown("pipe", 0, group, dir_fd=folder, follow_symlinks=False)   # noqa: TID251  in a folder of root's
    os.chmod("pipe", 0o660, dir_fd=folder)     # no link: nobody but root could write here until now
    os.fchmod(folder, 0o755)


def wrapper_command(*scripts: Script) -> tuple[str, ...]:
    """What a container or a command has to run: the wrapper with the script in its hands, or with several in a row."""
    if len(scripts) == 1:
        return ("/bin/sh", "-c", WRAPPER, "deployd-script", scripts[0].inside)
    return ("/bin/sh", "-c", ONE_AFTER_THE_OTHER, "deployd-scripts", WRAPPER, *(script.inside for script in scripts))


@contextmanager
def _traces(script: Script) -> Iterator[int | None]:
    """The script's folder, if there is one of root's; None: nothing in it may be believed."""
    with ExitStack() as stack:
        folder = None
        with suppress(FileNotFoundError, NotADirectoryError, NotBeneath):
            folder = stack.enter_context(open_folder(script.folder.parent, script.folder.name))
        yield folder if folder is not None and is_roots(folder) else None


def has_started(script: Script) -> bool:
    with _traces(script) as folder:
        if folder is None:
            return os.path.lexists(script.folder)     # not root's: of an earlier version, and lost
        if read_file(folder, "begun", 1) is not None:
            return True
        # It may take back what its wrapper wrote, and not the lock that its wrapper holds.
        if not ((read_file(folder, "started", READ_BYTES) or b"").startswith(b"yes") or is_held(script)):
            return False
        # Seen for the first time: from here on its age does not depend on files that it can touch.
        write_file(folder, "begun", f"{time.time()}\n".encode(), mode=0o600)
        return True


def read_status(script: Script) -> int | None:
    """How the script ended; None when it has not."""
    with _traces(script) as folder:
        found = STATUS.match(read_file(folder, "status", READ_BYTES) or b"") if folder is not None else None
        return int(found[1]) if found else None


def is_held(script: Script) -> bool:
    """Whether a wrapper lives: the kernel says so."""
    with _traces(script) as folder:
        if folder is None:
            return False
        try:
            lock = os.open("lock", FILE, dir_fd=folder)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False


def is_lost(script: Script) -> bool:
    """Whether the script was started, and was ended from outside: nobody holds its lock, and it left no status."""
    return has_started(script) and not is_held(script) and read_status(script) is None   # in this order


def age_seconds(script: Script) -> float:
    """Since when it runs, or ran; 0 when it has not started."""
    with _traces(script) as folder:
        text = read_file(folder, "begun", READ_BYTES) if folder is not None and has_started(script) else None
        try:
            return max(time.time() - float(text), 0.0) if text else 0.0
        except ValueError:
            return 0.0


async def start_or_attach(
    engine: Engine, container: str, script: Script, *, user: str,
    environment: Mapping[str, str] | None = None, working_folder: str | None = None,
) -> None:
    """Start the script in a running container, unless it has started already; `follow` tells how it fares.

    Raises:
        NotThere, NotRunning: There is no such container, or it does not run.
    """
    if not await asyncio.to_thread(has_started, script):
        await engine.start_detached(
            container, wrapper_command(script), user=user, environment=environment, working_folder=working_folder,
        )


async def follow(
    script: Script, on_line: Callable[[str], None], engine: Engine, container: str, *, user: str, limit_seconds: float,
    offset: int = 0,
) -> int:
    """Give every line of a script to `on_line` until it ends, then its exit status.

    Works for a command in a container as for a container whose main process is the wrapper, and after a restart of the
    daemon: then begin at the `offset` (in bytes, of the beginning of a line) that was dealt with.

    Args:
        user: Who runs it: `uid:gid`. Nobody else may end it, least of all root.
        limit_seconds: From the script's own start, whoever followed it then.

    Raises:
        ScriptLost: It is gone and left no status.
        ScriptOverran: It ran longer than `limit_seconds`; it was ended.
    """
    recent: list[str] = []

    def tell(text: str) -> None:
        recent.append(text)
        del recent[:-EVIDENCE_LINES]
        on_line(text)

    tail = _Tail(script, tell, offset)
    loop = asyncio.get_running_loop()
    began = looked = loop.time()
    pause = SHORTEST_PAUSE_SECONDS
    while True:
        status, grown = await asyncio.to_thread(tail.look)
        await tail.give()
        if status is not None:
            tail.end()
            return status
        if loop.time() - looked >= LOOK_SECONDS:
            looked = loop.time()
            if await _is_lost(script, engine, container, looked - began):
                raise ScriptLost(
                    f"{script.name} was ended from outside: it left no exit status", evidence=tuple(recent),
                    mend="its container was killed or had no memory left (see the last lines); try again",
                )
            if await asyncio.to_thread(age_seconds, script) > limit_seconds:
                await end(engine, container, script.folder, user=user)
                raise ScriptOverran(
                    f"{script.name} was still running after {limit_seconds:g} s and was ended", evidence=tuple(recent),
                    mend="make it faster, or raise its limit",
                )
        pause = SHORTEST_PAUSE_SECONDS if grown else min(pause * 1.3, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)


async def end(
    engine: Engine, container: str, folder: Path, *, user: str, signals: tuple[str, ...] = ("TERM", "KILL"),
    grace_seconds: float | None = None,
) -> None:
    """End a script that runs, with everything in its session; not running is fine.

    Args:
        folder: Of the script: `<folder>/<name>`.
        user: Who runs it: `uid:gid`.
        grace_seconds: Between the signals; END_SECONDS when nobody says otherwise.
    """
    script = Script(folder)
    for signal in signals:
        if not await asyncio.to_thread(is_held, script):
            return
        with suppress(NotThere, NotRunning):      # then it has just ended with its container
            await engine.execute(container, ("/bin/sh", "-c", END, "deployd-end", script.inside, signal), user=user)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS if grace_seconds is None else grace_seconds):
                while await asyncio.to_thread(is_held, script):   # noqa: ASYNC110  the kernel tells nobody
                    await asyncio.sleep(SHORTEST_PAUSE_SECONDS)


class _Tail:
    """What a script wrote since the last look. `look` runs in a thread, `give` in the loop."""

    def __init__(self, script: Script, tell: Callable[[str], None], offset: int) -> None:
        self._script = script
        self._offset = offset
        self._chunk = b""
        self._tell = tell
        self._cutter = LineCutter(tell)

    def look(self) -> tuple[int | None, bool]:
        """(status, whether there was something new). A status is given only when all of the output has been."""
        status = read_status(self._script)      # first: what is written before the status is then seen with it
        most = min(CHUNK_BYTES, OUTPUT_BYTES - self._offset)   # it can write past the bound if it means to
        with _traces(self._script) as folder:
            found = read_file(folder, "output", most, offset=self._offset) if folder is not None and most > 0 else None
        self._chunk = found or b""
        self._offset += len(self._chunk)
        more = len(self._chunk) == CHUNK_BYTES
        return (None if more else status), bool(self._chunk)

    async def give(self) -> None:
        chunk, self._chunk = self._chunk, b""
        for start in range(0, len(chunk), SLICE_BYTES):
            self._cutter.feed(chunk[start:start + SLICE_BYTES])
            await asyncio.sleep(0)

    def end(self) -> None:
        self._cutter.end()
        if self._offset >= OUTPUT_BYTES:
            self._tell(f"[…] what it wrote after {OUTPUT_BYTES // MEGABYTE} MB was not kept")


async def _is_lost(script: Script, engine: Engine, container: str, waited_seconds: float) -> bool:
    if await asyncio.to_thread(has_started, script):
        return await asyncio.to_thread(is_lost, script)
    if waited_seconds > START_SECONDS:
        lost = True
    else:
        there = await engine.container(container)
        lost = there is None or not there.running
    # It may have ended between the look at its status and now.
    return lost and await asyncio.to_thread(read_status, script) is None
