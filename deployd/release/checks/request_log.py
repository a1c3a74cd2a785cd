"""What visitors got before and after a switch, out of the environment's access log.

A request belongs to the version that was live when it began: who was held over the switch, and what the earlier version
still had to answer, is of neither. The log is a file of the daemon's, so a daemon that comes back reads the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from deployd.release.checks.judgement import Request, Sample, counts

BEFORE_SECONDS = 900.0
"""Of what was before the switch so much counts."""
PAST_BYTES = 3_000_000
"""Of the past so much is read: some 10,000 requests."""
CHUNK_BYTES = 1_000_000
MOST_CHUNKS = 8
"""Read at a look; where more is written within two seconds, the rest comes with the next one."""


class RequestLog:
    """Reads the log of one environment, once from the past on and then as it grows. Blocking; for a thread."""

    def __init__(self, file: Path, frozen_at: float, switched_at: float) -> None:
        """
        Args:
            frozen_at: When visitors were held, or else switched; seconds since 1970, as `switched_at`.
        """
        self._file = file
        self._frozen_at = frozen_at
        self._switched_at = switched_at
        self._inode = 0
        self._offset = 0
        self.before, self.after, self.late = Sample(), Sample(), Sample()
        self.late_from = float("inf")
        """`late` is what of `after` began from here on."""

    def look(self) -> None:
        """Take what is new. A log that cannot be read counts as one in which nothing stands."""
        with suppress(OSError):
            if not self._inode:
                self._begin()
            elif self._file.stat().st_ino != self._inode:   # a full one became the older one
                older = self._file.with_suffix(".log.1")
                if older.stat().st_ino == self._inode:
                    self._read(older)
                self._offset = 0
            self._inode = self._read(self._file) or self._inode

    def _begin(self) -> None:
        older, size = self._file.with_suffix(".log.1"), self._file.stat().st_size
        with suppress(OSError):
            if size < PAST_BYTES:
                self._offset = max(0, older.stat().st_size - (PAST_BYTES - size))
                self._read(older)
        self._offset = max(0, size - PAST_BYTES)

    def _read(self, file: Path) -> int:
        """Its inode."""
        with file.open("rb") as found:
            for _ in range(MOST_CHUNKS):
                found.seek(self._offset)
                piece = found.read(CHUNK_BYTES)
                whole = piece[:piece.rfind(b"\n") + 1]
                if not whole:
                    break
                self._offset += len(whole)
                self._sort(parse_requests(whole.splitlines()))
            return os.fstat(found.fileno()).st_ino

    def _sort(self, requests: Iterable[Request]) -> None:
        for request in requests:
            if not counts(request):
                continue
            if request.began >= self._switched_at:
                self.after.add(request)
                if request.began >= self.late_from:
                    self.late.add(request)
            elif self._is_before(request):
                self.before.add(request)

    def _is_before(self, request: Request) -> bool:
        ended = request.began + request.seconds + 1   # the log tells the second
        return self._frozen_at - BEFORE_SECONDS <= request.began and ended <= self._frozen_at


def parse_requests(lines: Iterable[bytes]) -> list[Request]:
    """What of the lines is whole; paths, referers and names of programs are strangers', and are not looked at. Pure."""
    found = []
    for line in lines:
        try:
            values = json.loads(line.replace(b'"status":000', b'"status":0').decode(errors="replace"))
            ended, seconds = datetime.fromisoformat(values["at"]).timestamp(), float(values["seconds"])
            found.append(Request(ended - seconds, seconds, int(values["status"]), str(values["client"])))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):   # cut by a full disk, or not ours
            continue
    return found
