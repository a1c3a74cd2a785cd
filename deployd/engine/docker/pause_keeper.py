"""A program of its own: pauses control groups, keeps them so, and lets them go on, whatever becomes of the daemon.

    python -I -S pause_keeper.py LIMIT_SECONDS FILE…     each FILE is a `freezer.state` or a `cgroup.freeze`

    starts ─► says `paused` ─► input closed, SIGTERM, or LIMIT_SECONDS over ─► lets them go on ─► says why

The daemon holds the other end of its input, which the kernel closes when the daemon ends, however it does. Nobody else
is asked for anything: who pauses through the Engine needs it to go on, and the Engine may be waiting for a program that
it has just started in a paused container.
Surprise: it is two processes. One does all that, in a session of its own and outside of the daemon's unit, so that what
ends the daemon does not end it; the other waits for it, and lets them go on if somebody kills the first.

Alone in its file, with nothing of ours and little of Python's, because visitors are waiting while it starts.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

SETTLE_SECONDS = 10.0
"""How long a group may take until all of its processes stand still; one that waits for a disk does not before."""
LOOK_AGAIN_SECONDS = 0.002
NUDGE_EACH = 50
"""A group of version 1 to which a program is just being added can stay half frozen for ever; runc too lets it go on
for a moment then."""
FREEZE, THAW = {"freezer.state": "FROZEN", "cgroup.freeze": "1"}, {"freezer.state": "THAWED", "cgroup.freeze": "0"}
OWN_GROUPS = (
    "/sys/fs/cgroup/systemd/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/cgroup.procs",
)
"""Of the root, by which systemd knows whose processes are whose: version 1, both, version 2."""


class NotPaused(Exception):
    """A group does not stand still."""


def main(limit_seconds: float, files: Sequence[str]) -> None:
    keeper = os.fork()
    if keeper == 0:
        keep(limit_seconds, files)
    os.waitpid(keeper, 0)
    let_go_on(files)   # however it ended: it may have been killed in the midst of that


def keep(limit_seconds: float, files: Sequence[str]) -> NoReturn:
    os.setsid()
    leave_unit()
    signal.signal(signal.SIGTERM, end)
    said = ""
    try:
        pause(files)
        say("paused")
        asked, _, _ = select.select([0], [], [], limit_seconds)
        why = "asked" if asked else f"late {limit_seconds:g}"
        said = why if all(is_paused(file) for file in files) else "broken"
    except (OSError, NotPaused) as error:
        said = f"refused {error}"
    finally:
        if let_go_on(files):
            say(said)
        os._exit(0)


def end(*_: object) -> NoReturn:
    raise SystemExit


def leave_unit() -> None:
    """What is left of a unit whose main process has ended is killed by systemd at once."""
    for file in OWN_GROUPS:
        try:
            write(file, "0")
        except OSError:
            continue   # not there, or not ours to leave: then the other process is the only help


def pause(files: Sequence[str]) -> None:
    last, rounds = time.monotonic() + SETTLE_SECONDS, 0
    for file in files:
        write(file, FREEZE[os.path.basename(file)])
    while waiting := [file for file in files if not is_paused(file)]:
        if time.monotonic() > last:
            raise NotPaused(f"{waiting[0]}: its processes do not stand still after {SETTLE_SECONDS:g} s")
        rounds += 1
        time.sleep(LOOK_AGAIN_SECONDS)
        for file in waiting:
            if rounds % NUDGE_EACH == 0:
                write(file, THAW[os.path.basename(file)])
            write(file, FREEZE[os.path.basename(file)])


def is_paused(file: str) -> bool:
    folder, name = os.path.split(file)
    if name == "cgroup.freeze":
        return b"frozen 1" in read(os.path.join(folder, "cgroup.events")).splitlines()
    return read(file).strip() == b"FROZEN"


def let_go_on(files: Sequence[str]) -> bool:
    """Whether all that are still there go on. All are tried."""
    good = True
    for file in files:
        try:
            write(file, THAW[os.path.basename(file)])
        except FileNotFoundError:
            continue   # its container has ended
        except OSError as error:
            good = False
            say(f"refused {error}")
    return good


def say(text: str) -> None:
    try:
        os.write(1, f"{text}\n".encode())
    except OSError:
        return   # nobody listens any more


def read(file: str) -> bytes:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, 4096)
    finally:
        os.close(handle)


def write(file: str, value: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, value.encode())
    finally:
        os.close(handle)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
