"""Room that is kept back on the disk of the database: when the disk is full, the file is let go, and what has to be
written still is.

Without it a build that fills the disk would never end: its failure must be in the journal before its files may go.
Surprise: the room is for anybody then, so the write that needed it follows at once, in the same thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

BALLAST_BYTES = 4_000_000
ROOM_FOR_IT = 10
"""It is taken when so many times its size are free: on a small or nearly full disk it would do harm."""


class Ballast:
    """One file beside the database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = False

    def ensure(self) -> None:
        """Have it, when there is room for it; else later."""
        if self._held:
            return
        with suppress(OSError):   # a disk that fails says so at the next write that matters
            there = os.statvfs(self._path.parent)
            if self._path.exists() or there.f_bavail * there.f_frsize >= ROOM_FOR_IT * BALLAST_BYTES:
                self._take()
                self._held = True

    def let_go(self) -> bool:
        """Give the room back to the disk. False: there was none to give."""
        held, self._held = self._held, False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        return held

    def _take(self) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, BALLAST_BYTES)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
