"""The process that makes readers: it has loaded everything, reads nothing itself, and forks one for each reading.

    python -m deployd.reading.fork_server SOCKET ROOT SECONDS      says "ready", and ends when its standard input does

A reader is used once, so that nothing that one stranger sent is there when the next one's is read; a fork takes a
millisecond where a new Python would take a hundred. It is killed when its time is over or when the daemon hangs up;
readers die with the fork server, the fork server with the daemon. Surprise: this process must stay single-threaded.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import deployd.project
from deployd.project.reader import read_project
from deployd.project.tree.limits import TreeLimits
from deployd.reading import reader
from deployd.reading.reader import LIBC
from deployd.reading.trees import OfferedTree
from deployd.reading.wire import ENDED, message

FIRST_UID = 2_000_000_000
"""Nobody's: systemd leaves everything from 1,879,048,192 to 2,147,483,647 unused ("Users, Groups, UIDs and GIDs")."""
MOST_READERS = 64
LAST_WORDS_SECONDS = 1.0
NEEDED_LATER = ("difflib", "encodings.utf_8_sig", "encodings.idna", "tarfile", "traceback", "zoneinfo")
"""Modules that are loaded in the middle of a reading; a reader finds no files any more."""
WARMING = (b"name: app\ntype: php:8.4\nweb: {locations: {/: {root: public, passthru: /index.php}}}\n",)
CLONE_NEWIPC, CLONE_NEWNET, PR_SET_NO_NEW_PRIVS = 0x08000000, 0x40000000, 38


@dataclass(slots=True)
class Child:
    """A reader that has not been seen to end."""

    pid: int
    ended: int
    """Descriptor that is readable when the process has ended."""
    connection: socket.socket
    uid: int
    deadline: float
    killed: str = ""
    """Why, when it was us."""


class ForkServer:
    """Readers by what is waited for: the descriptor of their end, and that of the daemon's hanging up."""

    def __init__(self, listener: socket.socket, wall_seconds: float) -> None:
        self._listener = listener
        self._wall_seconds = wall_seconds
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._by_end: dict[int, Child] = {}
        self._by_connection: dict[int, Child] = {}
        self._free = list(range(FIRST_UID + MOST_READERS - 1, FIRST_UID - 1, -1))

    def serve(self) -> None:
        """Until the daemon has gone."""
        while True:
            happened = {descriptor for descriptor, _ in self._poll.poll(self._seconds_left())}
            if sys.stdin.fileno() in happened:
                return
            for child in [self._by_end[descriptor] for descriptor in happened & self._by_end.keys()]:
                self._bury(child)
            for child in [self._by_connection[descriptor] for descriptor in happened & self._by_connection.keys()]:
                self._kill(child, "hung up")
            if self._listener.fileno() in happened:   # last: it may get a descriptor that just became free
                self._accept()
            for child in self._by_end.values():
                if child.deadline <= time.monotonic() and not child.killed:
                    self._kill(child, "time")

    def _seconds_left(self) -> float | None:
        deadlines = [child.deadline for child in self._by_end.values() if not child.killed]
        return max(min(deadlines) - time.monotonic(), 0) if deadlines else None

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if not self._free:
            connection.close()
            return
        uid = self._free.pop()
        pid = os.fork()
        if pid == 0:
            be_a_reader(connection, uid)
        child = Child(pid, os.pidfd_open(pid), connection, uid, time.monotonic() + self._wall_seconds)
        self._by_end[child.ended] = self._by_connection[connection.fileno()] = child
        self._poll.register(child.ended, select.EPOLLIN)
        self._poll.register(connection, select.EPOLLRDHUP)

    def _kill(self, child: Child, why: str) -> None:
        """It is not waited for yet, so the number is certainly still its own."""
        if child.connection.fileno() in self._by_connection:
            self._poll.unregister(child.connection)
            del self._by_connection[child.connection.fileno()]
        child.killed = child.killed or why
        os.kill(child.pid, signal.SIGKILL)

    def _bury(self, child: Child) -> None:
        _, status = os.waitpid(child.pid, 0)
        self._poll.unregister(child.ended)
        del self._by_end[child.ended]
        os.close(child.ended)
        if self._by_connection.pop(child.connection.fileno(), None):
            self._poll.unregister(child.connection)
        with child.connection:
            if status != 0:
                _last_words(child.connection, child.killed or _why(status))
        self._free.append(child.uid)


def _why(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU:
        return "cpu"
    return f"signal {-code}" if code < 0 else f"status {code}"


def _last_words(connection: socket.socket, why: str) -> None:
    try:
        connection.settimeout(LAST_WORDS_SECONDS)
        connection.sendall(message(ENDED, why.encode()))
    except OSError:
        pass   # nobody listens any more


def be_a_reader(connection: socket.socket, uid: int) -> None:
    """In the fork. Never returns."""
    status = 1
    try:
        os.dup2(os.open("/", os.O_PATH), 0)   # the daemon's pipes are not a reader's; there is no /dev/null here
        os.dup2(0, 1)
        os.dup2(0, 2)
        kept = socket.socket(fileno=os.dup2(connection.fileno(), 3))
        os.closerange(4, 65_536)
        reader.serve(kept, uid)
        status = 0
    finally:
        os._exit(status)


def leave_the_host() -> None:
    """No network and no way to more privileges, for this process and all that it forks.

    Raises:
        OSError: The kernel refuses.
    """
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWIPC) or LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot leave the network of the host")


def load_everything() -> None:
    """All that a reading can need, so that it needs no files: modules, and what they make at their first use."""
    for module in pkgutil.walk_packages(deployd.project.__path__, "deployd.project."):
        importlib.import_module(module.name)
    for name in NEEDED_LATER:
        importlib.import_module(name)
    TreeLimits().refuse(0, 0)
    for content in (b"nmae: app\n", *WARMING * 10):   # Python makes functions faster that were called some times
        read_project(OfferedTree({".platform.app.yaml": content}, [".platform.app.yaml"]))


def main() -> None:
    path, root, wall_seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    load_everything()
    leave_the_host()
    root.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    os.umask(0o077)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(MOST_READERS)
        os.chroot(root)
        os.chdir("/")
        gc.collect()
        gc.disable()   # a reader lives shortly; collecting would only copy pages
        print("ready", flush=True)
        ForkServer(listener, wall_seconds).serve()


if __name__ == "__main__":
    main()
