"""What `sftp-server` says on stderr of what it does: for the audit log, and for the person whose file was not taken.

    open "/app/var/a.jpg" flags WRITE,CREATE,TRUNCATE mode 0644
    sent status Failure
    close "/app/var/a.jpg" bytes read 0 written 1234

The protocol has no word for a read-only file system, and clients show `Failure`. It runs in a container, so nothing of
this is proof of anything. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

VERBS = "open|close|remove|rmdir|mkdir|rename|symlink|set|opendir"
LINE = re.compile(rf'({VERBS})\b[^"]*"(?P<path>[^"]{{0,1000}})"(?P<rest>.*)')
REFUSED = ("sent status Failure", "sent status Permission denied")
COUNTED = {
    "remove": "removed", "rename": "renamed", "mkdir": "folders made", "rmdir": "folders removed",
    "symlink": "links made",
}
LONGEST_REST = 10_000
MOST_PATHS = 3


class SftpLog:
    def __init__(self, mounts: Sequence[str], say: Callable[[str], None]) -> None:
        """
        Args:
            mounts: Paths below the application's root that can be written.
            say: Told once that a file is where nobody can write.
        """
        self._mounts = mounts
        self._say = say
        self._rest = b""
        self._wanted = ""
        """What was last to be changed."""
        self._said = False
        self._counts: dict[str, int] = {}
        self._paths: list[str] = []

    @property
    def did(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self._counts.items())
        return f"{counts}: {', '.join(self._paths)}" if self._paths else counts

    def feed(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LONGEST_REST:]
        for line in lines:
            self._hear(line.decode(errors="replace").strip())

    def _hear(self, line: str) -> None:
        if line in REFUSED:
            if self._wanted and not self._said:
                self._said = True
                self._say(self._hint(self._wanted))
            self._wanted = ""
            return
        found = LINE.match(line)
        if found is None:
            return
        verb, path, rest = found[1], found["path"], found["rest"]
        changes = verb in COUNTED or verb == "set" or (verb == "open" and "WRITE" in rest)
        self._wanted = path if changes else ""
        if verb == "close" and "bytes read" in rest:
            self._count("written" if "written 0" not in rest else "read", path)
        elif verb in COUNTED:
            self._count(COUNTED[verb], path)

    def _count(self, name: str, path: str) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1
        if len(self._paths) < MOST_PATHS:
            self._paths.append(path[:100])

    def _hint(self, path: str) -> str:
        where = ", ".join(f"/app/{mount}" for mount in self._mounts) or "nowhere: there are no mounts"
        return f"{path} cannot be changed: the code is read-only, and the mounts are {where}"
