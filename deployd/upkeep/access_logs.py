"""The access log of each environment: nginx writes one file, whose lines are counted and sorted into a file for each.

nginx writes one file in large pieces, because a file for each environment would cost a system call for each request.
Files of environments are bounded: a full one becomes the older one, and the one before that goes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.release.paths import Places
from deployd.router.access_line import AccessLine, parse_access_line
from deployd.router_process.files import ensure_access_log
from deployd.upkeep.traffic import Traffic
from deployd.upkeep.traffic_history import Histories
from deployd.upkeep.visits import is_visit

log = structlog.get_logger()

LOOK_SECONDS = 1.0
MOST_BYTES = 8 * 1024 * 1024
"""Read at once, so that a busy minute does not hold up everything else."""
TURN_BYTES = 16 * 1024 * 1024
"""nginx begins a new file when its own has grown to this; it gives up writing at four times as much (log.lua)."""
WRITE_SECONDS = 300.0
"""How often figures of visitors are written down; a daemon that is killed loses these."""
LATE_SECONDS = 3.0
"""nginx's workers may still write into the old file so long."""


class AccessLogs:
    """Sorts the router's log for ever."""

    def __init__(
        self, source: Path, places: Places, traffic: Traffic, reopen: Callable[[], Awaitable[None]], *, most_bytes: int,
        boundary: ErrorBoundary | None = None, histories: Histories | None = None,
        visited: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Args:
            source: The file that nginx writes.
            reopen: Lets nginx open its log anew.
            most_bytes: What the log of one environment may take.
            histories: Where figures of an hour and a day are kept.
            visited: Told of environments to which somebody came; called in a thread.
        """
        self._boundary = boundary or ErrorBoundary("access logs")
        self._source = source
        self._old = source.with_suffix(".old")
        self._places = places
        self._traffic = traffic
        self._reopen = reopen
        self._most_bytes = most_bytes
        self._visited = visited
        self._histories = histories or Histories(lambda key: places.environment(EnvironmentId.read(key)))

    async def serve(self) -> None:
        """Sort what comes, until cancelled."""
        position = Position(self._source)
        await self._finish_turn()
        written = time.monotonic()
        try:
            while True:
                while await asyncio.to_thread(self._take, position):
                    pass
                if time.monotonic() - written > WRITE_SECONDS:
                    await asyncio.to_thread(self._histories.write)
                    written = time.monotonic()
                if position.offset >= TURN_BYTES:
                    await self._turn(position)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            position.close()
            await asyncio.to_thread(self._histories.write)

    async def _turn(self, position: Position) -> None:
        """Begin a new file; the old one is read to its end and removed."""
        await asyncio.to_thread(self._source.rename, self._old)
        await asyncio.to_thread(ensure_access_log, self._source)
        try:
            await self._reopen()
        except DeployError as error:
            await asyncio.to_thread(self._old.rename, self._source)   # nginx goes on with it
            log.warning("access_log_not_turned", what=error.what)
            return
        await asyncio.sleep(LATE_SECONDS)
        while await asyncio.to_thread(self._take, position):
            pass
        await asyncio.to_thread(self._old.unlink, True)
        position.close()

    async def _finish_turn(self) -> None:
        """A daemon that was killed amid a turn: nginx still writes into the old file, or has left it."""
        if not await asyncio.to_thread(self._old.exists):
            return
        if not await asyncio.to_thread(self._source.exists):
            await asyncio.to_thread(self._old.rename, self._source)
            return
        with suppress(DeployError):   # it does not run: then it writes nothing
            await self._reopen()
            await asyncio.sleep(LATE_SECONDS)
        await asyncio.to_thread(self._take_rest)

    def _take_rest(self) -> None:
        rest = Position(self._old)
        while self._take(rest):
            pass
        rest.close()
        self._old.unlink()

    def _take(self, position: Position) -> bool:
        """Sort the next piece. Returns whether there may be more."""
        piece = position.read(MOST_BYTES)
        by_environment: dict[str, list[AccessLine]] = defaultdict(list)
        for line in self._parsed(piece):
            by_environment[line.environment].append(line)
        for environment, lines in by_environment.items():
            with self._boundary.contain(f"the access log of {environment}") as tried:
                self._sort(environment, lines)
            if tried.failed:
                self._traffic.lost_lines += len(lines)
        if piece:
            position.keep()
        return len(piece) >= MOST_BYTES // 2

    def _parsed(self, piece: bytes) -> Iterable[AccessLine]:
        for raw in piece.split(b"\n"):
            line = parse_access_line(raw)
            if line is not None:
                yield line
            elif raw:
                self._traffic.lost_lines += 1

    def _sort(self, environment: str, lines: list[AccessLine]) -> None:
        """What visitors of one environment did; what they sent, and what its application answered, is strangers'."""
        for line in lines:
            self._traffic.count(environment, line.status, line.seconds)
        if any(is_visit(line.status, line.text) for line in lines):
            self._visited(environment)
        self._histories.count(environment, time.time(), [(line.status, line.seconds) for line in lines])
        self._keep(environment, [line.text for line in lines])

    def _keep(self, environment: str, texts: list[bytes]) -> None:
        file = self._places.access_log(EnvironmentId.read(environment))
        if not file.parent.is_dir():   # it was deleted meanwhile
            return
        try:
            with file.open("ab") as found:
                found.write(b"\n".join(texts) + b"\n")
                size = found.tell()
            if size >= self._most_bytes // 2:
                file.replace(older(file))
        except OSError as error:
            self._traffic.lost_lines += len(texts)
            log.warning("access_log_not_written", environment=environment, why=error.strerror)


def older(file: Path) -> Path:
    """Where a full log goes."""
    return file.with_suffix(".log.1")


class Position:
    """How far the router's log is sorted. It stands beside the log, so that a daemon that comes back goes on there."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._kept = source.with_suffix(".position")   # one for the file and the one that takes its place
        self._file: IO[bytes] | None = None
        self.offset = 0

    def read(self, most_bytes: int) -> bytes:
        """Whole lines that have not been read; empty when there is no file."""
        if self._file is None and not self._open():
            return b""
        assert self._file is not None
        self._file.seek(self.offset)
        piece = self._file.read(most_bytes)
        whole = piece[:piece.rfind(b"\n") + 1]
        self.offset += len(whole)
        return whole

    def keep(self) -> None:
        """Remember how far it is."""
        assert self._file is not None
        self._kept.write_text(f"{os.fstat(self._file.fileno()).st_ino} {self.offset}")

    def close(self) -> None:
        """Forget the file; the next `read` opens the one that is there then."""
        if self._file is not None:
            self._file.close()
        self._file, self.offset = None, 0

    def _open(self) -> bool:
        try:
            self._file = self._source.open("rb")
        except FileNotFoundError:
            return False
        try:
            inode, offset = self._kept.read_text().split()
        except (FileNotFoundError, ValueError):
            return True
        if int(inode) == os.fstat(self._file.fileno()).st_ino:
            self.offset = int(offset)
        return True
