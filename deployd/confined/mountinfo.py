"""What is mounted, asked of the kernel: /proc/<pid>/mountinfo (proc(5)) as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
ESCAPE = re.compile(r"\\([0-7]{3})")
REMOVED = "//deleted"


@dataclass(frozen=True, slots=True)
class Mounted:
    """A line of the kernel's list of mounts."""

    path: Path
    kind: str
    """Of file system."""
    source: str
    removed: bool = False
    """The folder that is mounted there was removed where it came from."""


def read_mounts() -> tuple[Mounted, ...]:
    """All that our own namespace has mounted. Blocking."""
    return parse_mountinfo(MOUNTINFO.read_text())


def parse_mountinfo(text: str) -> tuple[Mounted, ...]:
    """Mounts from the text of /proc/self/mountinfo, in its order."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        if after:
            kind, source, *_ = after.split(" ")
            _, _, _, root, path, *_ = before.split(" ")
            found.append(Mounted(Path(_unescape(path)), kind, _unescape(source), root.endswith(REMOVED)))
    return tuple(found)


def _unescape(text: str) -> str:
    """The kernel writes spaces, tabs, line ends and backslashes as octal numbers of their bytes."""
    return ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
