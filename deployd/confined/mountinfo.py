"""What is mounted, asked of the kernel: /proc/<pid>/mountinfo (proc(5)) as values.

Surprise: a line also says which folder of its file system is mounted, by the name that it has now. For a mount of a
tenant that is a name of his own choice, in any bytes: it must not keep anybody from reading the lines of the others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")
REMOVED = b"//deleted"


@dataclass(frozen=True, slots=True)
class Mounted:
    """A line of the kernel's list of mounts."""

    path: Path
    kind: str
    """Of file system."""
    source: str
    removed: bool = False
    """The folder that is mounted there was removed where it came from."""
    folder_bytes: int = 0
    """Length of the path of what is mounted there, in its own file system; a tenant may have moved it anywhere."""


def read_mounts(*, longer_than: int = 0) -> tuple[Mounted, ...]:
    """All that our own namespace has mounted. Blocking.

    Args:
        longer_than: Only of lines with more bytes: a host has thousands, and to look at their length costs nothing.
    """
    with MOUNTINFO.open("rb") as lines:
        return tuple(parse_mountinfo(line for line in lines if len(line) > longer_than))


def parse_mountinfo(lines: Iterable[bytes]) -> Iterator[Mounted]:
    """Mounts from the lines of /proc/self/mountinfo, in its order.

    In bytes, because names may have what ends a line of text; one by one, because each may have many megabytes.
    """
    for line in lines:
        before, _, after = line.partition(b" - ")
        if after:
            kind, source, *_ = after.split(b" ")
            _, _, _, root, path, *_ = before.split(b" ")
            yield Mounted(
                Path(_unescape(path)), _unescape(kind), _unescape(source), root.endswith(REMOVED), len(root),
            )


def _unescape(text: bytes) -> str:
    """The kernel writes spaces, tabs, line ends and backslashes as octal numbers of their bytes."""
    return os.fsdecode(ESCAPE.sub(lambda match: bytes((int(match[1], 8),)), text))
