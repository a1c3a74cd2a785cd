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

Surprise: whether a script is alive is asked of the kernel, by the lock, and not of the engine. A host's lock and a
container's are the same, it costs nothing, and it is right while the engine is being restarted.

A folder that is not root's is of a version from before this was so (or somebody's trap): nothing in it is read. Its
script counts as lost.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deployd.confined.beneath import FILE, NotBeneath, is_roots, open_folder, read_file, write_file

SCRIPTS_FOLDER = "/run/deployd/scripts"
"""Where a container sees `<folder>`."""
KEPT_BACK_BYTES = 65_536
"""Of the disk, for what a script says of it: one that fills the disk can still say so."""
BLANKS = " " * 12
STATUS = re.compile(rb"(\d{1,3})\n")
READ_BYTES = 64


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


def read_output(script: Script, offset: int, most_bytes: int) -> bytes:
    """What it printed, from a place on."""
    with _traces(script) as folder:
        if folder is None or most_bytes <= 0:
            return b""
        return read_file(folder, "output", most_bytes, offset=offset) or b""


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
