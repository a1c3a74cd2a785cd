"""What becomes of an instance's start command, as its container's first process writes it down (`start_script.py`).

    begun ended none 0 0                 its container has not come to it: `.environment` is read, or pre_start runs
    begun ended running <pid> 0          the command runs; its number is the container's own
    begun ended waiting 0 <status>       it ended before the deploy hook did, and is started again in a second
    begun ended ended 0 <status>         it ended, and its container with it; the engine starts that again
    begun ended environment 0 <status>   `.environment` ended the shell: nothing is ever started

One line in a file of root's that the container's user may write into: it can lie, about its own end. Docker's figures
would not do: a container that ends and comes back within a tenth of a second looks well in them, and what a start
command did inside of one before its hook is not in them at all.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployd.confined.beneath import NotBeneath, is_roots, open_folder, read_file, write_file

NAME = "starts"
STARTS_FILE = f"/run/deployd/scripts/{NAME}"
"""As the container sees it."""
NOTHING_YET, RUNNING, WAITING, ENDED, ENVIRONMENT_FAILED = "none", "running", "waiting", "ended", "environment"
FORM = re.compile(rb"(\d{1,9}) (\d{1,9}) (none|running|waiting|ended|environment) (\d{1,9}) (\d{1,3}) *\n")
FIRST = f"{'0 0 none 0 0':<60}\n".encode()


@dataclass(frozen=True, slots=True)
class Starts:
    """How often a start command was begun, and how it fares."""

    begun: int = 0
    ended: int = 0
    """How often it ended and took its container along; what it did before its deploy hook had ended does not count."""
    state: str = NOTHING_YET
    pid: int = 0
    """Of its main process, in the container."""
    status: int = 0
    """With which it ended last."""
    written_at: float = 0.0
    """When that was so: Unix time."""

    @property
    def runs(self) -> bool:
        return self.state == RUNNING

    @property
    def has_no_environment(self) -> bool:
        """`.environment` ended the shell before anything was started."""
        return self.state == ENVIRONMENT_FAILED


def parse_starts(text: bytes, written_at: float = 0.0) -> Starts | None:
    """None: it is not what the script writes."""
    found = FORM.fullmatch(text)
    if found is None:
        return None
    return Starts(int(found[1]), int(found[2]), found[3].decode(), int(found[4]), int(found[5]), written_at)


def lay_out_starts(scripts: Path, *, group: int) -> None:
    """Have the file in an instance's folder of scripts; one that is there already is kept. Blocking."""
    with open_folder(scripts) as folder:
        if read_file(folder, NAME, 1) is None:
            os.fchmod(folder, 0o755)   # whatever our umask is: the container's user has to get through
            write_file(folder, NAME, FIRST, mode=0o660, group=group)


def begin_starts(scripts: Path, *, group: int) -> None:
    """Let an instance that does not run begin anew: what its start command did before says nothing of the next time.

    Blocking.
    """
    with suppress(FileNotFoundError, NotADirectoryError, NotBeneath), open_folder(scripts) as folder:
        if is_roots(folder):
            write_file(folder, NAME, FIRST, mode=0o660, group=group)


def read_starts(scripts: Path) -> Starts | None:
    """None: nothing is known; its container was made by an earlier deployd, or wrote something else. Blocking."""
    with suppress(FileNotFoundError, NotADirectoryError, NotBeneath), open_folder(scripts) as folder:
        if is_roots(folder):
            written_at = os.stat(NAME, dir_fd=folder, follow_symlinks=False).st_mtime
            return parse_starts(read_file(folder, NAME, len(FIRST) + 1) or b"", written_at)
    return None
