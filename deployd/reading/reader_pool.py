"""Readers as the daemon sees them: what is to be read goes in, a `ReadResult` or an error comes out.

One project never has more than two of the six places, and only one of them for plans, which a viewer may ask for. So a
hostile repository holds up nobody but its own project, and there no longer than each reading may take.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

import deployd
from deployd.ids import ProjectId
from deployd.process import Process, open_process
from deployd.project.model import ReadResult
from deployd.reading import wire
from deployd.reading.bounds import (
    LARGEST_ANSWER_BYTES,
    LARGEST_FILE_BYTES,
    MOST_BYTES,
    TOLD,
    WALL_SECONDS,
    ConfigurationTooLarge,
    ReadersAbsent,
    TooManyReadings,
    overran,
)
from deployd.reading.codec import NotOfThatShape, from_plain
from deployd.reading.reader import Asked
from deployd.reading.wire import HEAD, message, split_head

log = structlog.get_logger()

AT_ONCE = 6
AT_ONCE_OF_A_PROJECT = 2
MOST_PLANS_WAITING = 8
"""Of one project; each keeps the body of its request in memory."""
START_SECONDS = 60.0
GRACE_SECONDS = 10.0
"""After the fork server should have ended a reading; when it has not, it is sick itself and is replaced."""
LARGE_BYTES = 100_000   # from here on making values of an answer would hold up the loop for milliseconds

T = TypeVar("T")
Load = Callable[[str, int], Awaitable[bytes]]
"""(object id, most bytes) → its contents."""


class ReaderBroke(Exception):
    """A reader met a mistake of ours, or is not our reader any more."""


@dataclass(frozen=True, slots=True)
class OfferRead:
    """An offer for a plan, read."""

    branch: str
    listings: Mapping[str, str]
    """{application root: digest of its files without the configuration}"""
    result: ReadResult


class ReaderPool:
    """Reads commits and offers, each in a process of its own."""

    def __init__(self, folder: Path, stack: AsyncExitStack, wall_seconds: float) -> None:
        """
        Args:
            folder: Where the fork server has its socket and its empty root.
            wall_seconds: What one reading may take, waiting for git included.
        """
        self._wall_seconds = wall_seconds
        self._socket = folder / "readers.sock"
        self._root = folder / "readers"
        self._stack = stack
        self._starting = asyncio.Lock()
        self._fork_server: Process | None = None
        self._is_ready = False
        self._places = asyncio.Semaphore(AT_ONCE)
        self._of_project: defaultdict[ProjectId, asyncio.Semaphore] = defaultdict(_places_of_a_project)
        self._planning: defaultdict[ProjectId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._plans_waiting: defaultdict[ProjectId, int] = defaultdict(int)

    async def read_commit(self, project: ProjectId, asked: Asked, load: Load) -> tuple[ReadResult, int]:
        """The configuration of a commit, or all its errors, and how large that is in bytes.

        Args:
            load: Asked for the contents of files of that commit.

        Raises:
            ConfigurationTooLarge, ConfigurationOverran, TreeTooLarge: It cannot be read.
        """
        async with self._of_project[project]:
            return await self._ask(asked, load, _result_of)

    async def read_offer(self, project: ProjectId, asked: Asked) -> OfferRead:
        """
        Raises:
            TooManyReadings: Others of the project wait already.
            OfferUnusable: It is not what `POST …/plan` takes.
            ConfigurationTooLarge, ConfigurationOverran, TreeTooLarge: It cannot be read.
        """
        if self._plans_waiting[project] >= MOST_PLANS_WAITING:
            raise TooManyReadings(
                f"{MOST_PLANS_WAITING} plans of {project} are being made already", hint="ask again in a while",
            )
        self._plans_waiting[project] += 1
        try:
            async with self._planning[project], self._of_project[project]:
                return (await self._ask(asked, _nothing_to_load, _offer_of))[0]
        finally:
            self._plans_waiting[project] -= 1

    async def _ask(self, asked: Asked, load: Load, shape: Callable[[Any], T]) -> tuple[T, int]:
        async with self._places:
            body = await self._talk(asked, load)
            try:
                if len(body) > LARGE_BYTES:
                    return await asyncio.to_thread(lambda: shape(json.loads(body))), len(body)
                return shape(json.loads(body)), len(body)
            except (ValueError, KeyError, RecursionError, NotOfThatShape) as error:
                raise ReaderBroke(f"a reader answered what cannot be: {error!r}") from error

    async def _talk(self, asked: Asked, load: Load) -> bytes:
        """Once more when the fork server died meanwhile: whoever brought it down was another one's reading."""
        question = message(wire.ASK, pickle.dumps(asked))
        for tries_left in (1, 0):
            fork_server, reading, writing = await self._connect()
            try:
                writing.write(question)
                await writing.drain()
                return await self._converse(reading, writing, load)
            except TimeoutError:
                self._give_up(fork_server)   # it should have ended this reading
                raise overran("time") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                if not tries_left:
                    raise overran("no answer came") from None
            finally:
                writing.close()   # whoever hangs up ends the reading
        raise AssertionError("two tries end in an answer or an error")

    async def _converse(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter, load: Load) -> bytes:
        """Hand in the files that are asked for, until there is an answer.

        Raises:
            TimeoutError: The fork server says nothing, though it should have ended the reader by now.
        """
        left_bytes = MOST_BYTES
        while True:
            async with asyncio.timeout(self._wall_seconds + GRACE_SECONDS):
                kind, body = await _hear(reading)
            if kind == wire.ANSWER:
                return body
            if kind != wire.WANT:
                raise _end(kind, body)
            for name in body.decode("ascii", "replace").split():
                content = await load(name, LARGEST_FILE_BYTES)
                left_bytes -= len(content)
                if left_bytes < 0:
                    raise ConfigurationTooLarge(f"a reader asks for more than {MOST_BYTES:,} bytes")
                with suppress(TimeoutError):   # what it says while it waits is its end; writing would lose that
                    async with asyncio.timeout(0):
                        raise _end(*await _hear(reading))
                writing.write(message(wire.FILE, content))
                await writing.drain()

    async def _connect(self) -> tuple[Process, asyncio.StreamReader, asyncio.StreamWriter]:
        for tries_left in (1, 0):
            fork_server = await self._ready_fork_server()
            try:
                return fork_server, *await asyncio.open_unix_connection(self._socket)
            except (ConnectionError, FileNotFoundError):
                self._give_up(fork_server)
                if not tries_left:
                    raise _absent(()) from None
        raise AssertionError("two tries end in a connection or an error")

    def _give_up(self, fork_server: Process) -> None:
        """Have another one started by whoever comes next; unless it is another one already."""
        if self._fork_server is fork_server:
            self._fork_server = None

    async def _ready_fork_server(self) -> Process:
        async with self._starting:
            fork_server = self._fork_server
            if fork_server is None:
                log.warning("nursery_replaced")
                fork_server = await self.start()
            if not self._is_ready:
                await self._wait_until_ready(fork_server)
            return fork_server

    async def start(self) -> Process:
        """Start the fork server, the one before it ended. It need not be waited for: the first reading does."""
        await self._stack.aclose()
        self._is_ready = False
        self._fork_server = await self._stack.enter_async_context(open_process(
            sys.executable, "-s", "-m", "deployd.reading.fork_server", str(self._socket), str(self._root),
            str(self._wall_seconds),
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(deployd.__path__[0]).parent)},
        ))
        return self._fork_server

    async def _wait_until_ready(self, fork_server: Process) -> None:
        said = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                said = await fork_server.stdout.readline()
        if said != b"ready\n":
            self._give_up(fork_server)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    raise _absent(tuple((await fork_server.stderr.read()).decode(errors="replace").splitlines()[-5:]))
            raise _absent(("it did not say that it is ready",))
        self._is_ready = True


def _absent(evidence: tuple[str, ...]) -> ReadersAbsent:
    return ReadersAbsent(
        "configurations cannot be read: the process that makes readers does not start", evidence=evidence,
        hint="the daemon must be root, and its run folder be writable",
    )


@asynccontextmanager
async def open_reader_pool(folder: Path, *, wall_seconds: float = WALL_SECONDS) -> AsyncIterator[ReaderPool]:
    """Readers whose fork server starts at once and ends with the block."""
    async with AsyncExitStack() as stack:
        readers = ReaderPool(folder, stack, wall_seconds)
        await readers.start()
        yield readers


async def _hear(reading: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """(kind, body) of the next message"""
    kind, length = split_head(await reading.readexactly(HEAD.size))
    if length > LARGEST_ANSWER_BYTES:
        raise ReaderBroke("a reader says more than it may")
    return kind, await reading.readexactly(length)


def _end(kind: bytes, body: bytes) -> Exception:
    """A reader that ended without an answer, as an error."""
    said = body.decode(errors="replace")
    return overran(said) if kind == wire.ENDED else ReaderBroke(said)


def _result_of(answer: Any) -> ReadResult:
    _raise_refusal(answer)
    return from_plain(ReadResult, answer["result"])


def _offer_of(answer: Any) -> OfferRead:
    _raise_refusal(answer)
    return from_plain(OfferRead, answer)


def _raise_refusal(answer: Any) -> None:
    refused = answer.get("refused")
    if refused is not None:
        raise TOLD[refused["code"]](
            str(refused["what"]), where=str(refused["where"]), evidence=tuple(map(str, refused["evidence"])),
            hint=str(refused["hint"]),
        )


async def _nothing_to_load(name: str, most_bytes: int) -> bytes:
    raise ReaderBroke(f"a reader of an offer asks for the object {name}")


def _places_of_a_project() -> asyncio.Semaphore:
    return asyncio.Semaphore(AT_ONCE_OF_A_PROJECT)
