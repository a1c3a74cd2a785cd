"""state.db: one SQLite file, one writer, durable when a write returns.

WAL with `synchronous=FULL`. Writes that come at the same time share one transaction and so one fsync: that is what
makes thousands of durable webhooks a second possible. Each write is a function that gets the connection; it runs in the
writer's thread under a savepoint of its own, so one that fails takes no other with it.
sqlite3 in two threads of our own instead of aiosqlite, because the latter gives no way to put many callers' writes into
one transaction.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from deployd.errors import DeployError
from deployd.state.migrations import MIGRATIONS

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]

MOST_AT_ONCE = 500
BUSY_SECONDS = 10.0


class StateLocked(DeployError):
    """Another daemon works on this state directory."""

    code: ClassVar[str] = "state-locked"


class StateTooNew(DeployError):
    """The database was written by a newer deployd."""

    code: ClassVar[str] = "state-too-new"


class StateUnwritable(DeployError):
    """The database cannot be written: the disk is full or failing."""

    code: ClassVar[str] = "state-unwritable"


@dataclass(slots=True)
class _Write:
    query: Query[Any]
    done: asyncio.Future[Any]


class Store:
    """The open database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = ThreadPoolExecutor(1, "state-writer")
        self._reader = ThreadPoolExecutor(1, "state-reader")
        self._pending: asyncio.Queue[_Write] = asyncio.Queue(maxsize=100_000)
        self._write_connection: sqlite3.Connection
        self._read_connection: sqlite3.Connection

    async def write(self, query: Query[T]) -> T:
        """Run a query that changes something; what it changed is on the disk when this returns.

        Raises:
            StateUnwritable: It could not be written; nothing was changed.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._pending.put(_Write(query, done))
        return await done

    async def read(self, query: Query[T]) -> T:
        """Run a query that changes nothing, beside the writer."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, query, self._read_connection)

    async def _write_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._pending.get()]
            while len(batch) < MOST_AT_ONCE and not self._pending.empty():
                batch.append(self._pending.get_nowait())
            outcomes = await loop.run_in_executor(self._writer, self._commit, [item.query for item in batch])
            for item, (result, error) in zip(batch, outcomes, strict=True):
                if item.done.cancelled():
                    continue
                if error is not None:
                    item.done.set_exception(error)
                else:
                    item.done.set_result(result)

    def _commit(self, queries: list[Query[Any]]) -> list[tuple[Any, Exception | None]]:
        connection = self._write_connection
        outcomes: list[tuple[Any, Exception | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for query in queries:
                connection.execute("SAVEPOINT one")
                try:
                    outcomes.append((query(connection), None))
                except Exception as error:   # noqa: BLE001  it is the caller's error, and is raised there
                    connection.execute("ROLLBACK TO one")
                    outcomes.append((None, error))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            told = StateUnwritable(
                f"cannot write {self._path}: {error}", mend="make room on the disk; what was not written was not done",
            )
            return [(None, told)] * len(queries)
        return outcomes

    def _open(self) -> None:
        self._write_connection = _connect(self._path)
        self._write_connection.execute("PRAGMA journal_mode=WAL")
        self._write_connection.execute("PRAGMA synchronous=FULL")
        _migrate(self._write_connection, self._path)
        self._read_connection = _connect(self._path)
        self._read_connection.execute("PRAGMA query_only=ON")

    def _close(self) -> None:
        self._read_connection.close()
        self._write_connection.close()


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[Store]:
    """The database at a path, made or brought up to date; its folder is locked as long as it is open.

    Raises:
        StateLocked: Another daemon has it open.
        StateTooNew: A newer deployd wrote it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _lock(path.with_name("lock"))
    store = Store(path)
    loop = asyncio.get_running_loop()
    try:
        await loop.run_in_executor(store._writer, store._open)
        # Not in a TaskGroup: one around a `yield` would wrap every error of the daemon, and cancel it from the inside.
        writing = asyncio.ensure_future(store._write_for_ever())   # noqa: TID251  its owner is this function
        try:
            yield store
        finally:
            writing.cancel()
            await asyncio.wait({writing})
            await loop.run_in_executor(store._writer, store._close)
    finally:
        store._reader.shutdown()
        store._writer.shutdown()
        os.close(lock)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    there = connection.execute("PRAGMA user_version").fetchone()[0]
    if there > len(MIGRATIONS):
        raise StateTooNew(
            f"{path} was written by a newer deployd (schema {there}, this one knows {len(MIGRATIONS)})",
            mend="start the newer deployd again, or restore the database of the older one",
        )
    for number, script in enumerate(MIGRATIONS[there:], there + 1):
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")


def _lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(handle, 20).decode() or "unknown"
        os.close(handle)
        raise StateLocked(
            f"another deployd (process {other}) works on {path.parent}",
            mend="stop it first, or give this one a directory of its own",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle
