"""All processes that a command in a container started: those of its session, as the kernel counts (setsid(2)).

Docker can begin a command and not end it. Each begins as the leader of a session, and whatever it starts stays in there
unless it calls setsid itself. Blocking; for a thread.

Surprise: a number of a process may have got another owner between two looks. So a process is held by a descriptor
(pidfd) before it is looked at once more, and signalled by that. The number of a session is nobody else's as long as one
process is in it.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESSES, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
GRACE_SECONDS = 2.0
"""From the hang-up to the kill."""
LOOK_SECONDS = 0.02
SESSION, STATE, PROCESS_GROUP = 3, 0, 2
"""Places behind the name in /proc/PID/stat."""


@dataclass(frozen=True, slots=True)
class KernelSession:
    leader: int
    """Number of the command's own process, on the host."""
    members: Path
    """The kernel's file with the numbers of all processes of its container."""


def find_session(leader: int, inside: int, container_id: str) -> KernelSession | None:
    """The session that a command leads.

    Args:
        inside: A process of the container: the leader, or the container's first one.

    Returns:
        None: That process has ended, or the container is none of this kernel's.
    """
    try:
        lines = (PROCESSES / str(inside) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if container_id not in path:
            continue
        group = GROUPS / controllers.removeprefix("name=") / path.lstrip("/") / "cgroup.procs"
        if group.exists():
            return KernelSession(leader, group)
    return None


def end_session(session: KernelSession, *, leader_has_ended: bool, grace_seconds: float = GRACE_SECONDS) -> None:
    """Hang up, as a terminal does whose line broke, and kill what is left after a while.

    Those that stand still in a paused container are killed as soon as it goes on; nobody waits for that.
    """
    if leader_has_ended and _is_member(session, session.leader, None):
        return         # its number has another owner, so nobody of the session was left
    for number, what in enumerate((signal.SIGHUP, signal.SIGKILL)):
        if not _signal_all(session, what):
            return
        until = time.monotonic() + (grace_seconds if number == 0 else LOOK_SECONDS)
        while time.monotonic() < until and _members(session):
            time.sleep(LOOK_SECONDS)


def signal_group(session: KernelSession, what: signal.Signals) -> None:
    """Signal the process group of the session's leader, as a server of SSH does."""
    _signal_all(session, what, group=session.leader)


def _signal_all(session: KernelSession, what: signal.Signals, group: int | None = None) -> bool:
    """False: there is nobody."""
    found = _members(session, group)
    for process in found:
        with suppress(OSError):
            held = os.pidfd_open(process)
            try:
                if _is_member(session, process, group):
                    signal.pidfd_send_signal(held, what)
                    if what == signal.SIGHUP:
                        signal.pidfd_send_signal(held, signal.SIGCONT)   # a stopped one hears nothing
            finally:
                os.close(held)
    return bool(found)


def _members(session: KernelSession, group: int | None = None) -> list[int]:
    try:
        numbers = [int(line) for line in session.members.read_text().split()]
    except OSError:
        return []          # the container is gone, with all that was in it
    return [number for number in numbers if _is_member(session, number, group)]


def _is_member(session: KernelSession, process: int, group: int | None) -> bool:
    try:
        stat = (PROCESSES / str(process) / "stat").read_bytes()
    except OSError:
        return False
    fields = stat.rpartition(b")")[2].split()      # the name before it may hold anything
    if int(fields[SESSION]) != session.leader or fields[STATE] in (b"Z", b"X"):
        return False
    return group is None or int(fields[PROCESS_GROUP]) == group
