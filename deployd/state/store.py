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
from deployd.state.ballast import Ballast
from deployd.state.migrations import MIGRATIONS

T = TypeVar("T")
Query = Callable[[sqlite3.Connection], T]

MOST_AT_ONCE = 500
MOST_PENDING = 100_000
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


class StateUnreadable(DeployError):
    """The database is damaged, or its disk is failing."""

    code: ClassVar[str] = "state-unreadable"


@dataclass(slots=True)
class _Write:
    query: Query[Any]
    done: asyncio.Future[Any]


class Store:
    """The open database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ballast = Ballast(path.with_name("ballast"))
        self._writer = ThreadPoolExecutor(1, "state-writer")
        self._reader = ThreadPoolExecutor(1, "state-reader")
        self._pending: asyncio.Queue[_Write | None] = asyncio.Queue(maxsize=MOST_PENDING)
        self._closing = False
        self._write_connection: sqlite3.Connection
        self._read_connection: sqlite3.Connection

    async def write(self, query: Query[T]) -> T:
        """Run a query that changes something; what it changed is on the disk when this returns.

        Raises:
            StateUnwritable: It could not be written; nothing was changed.
        """
        if self._closing:
            raise StateUnwritable(f"cannot write {self._path}: the daemon is stopping")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._pending.put(_Write(query, done))
        return await done

    async def read(self, query: Query[T]) -> T:
        """Run a query that changes nothing, beside the writer.

        Raises:
            StateUnreadable: The file is damaged or the disk is failing.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._ask, query)

    def _ask(self, query: Query[T]) -> T:
        try:
            return query(self._read_connection)
        except sqlite3.DatabaseError as error:
            if _is_bug(error) or _code(error) == sqlite3.SQLITE_READONLY:
                raise
            raise StateUnreadable(f"cannot read {self._path}: {error}", hint="look at the disk") from None

    async def write_anew(self) -> None:
        """Write the whole file anew: what was deleted before it was overwritten is in no free page afterwards.

        Raises:
            StateUnwritable: There is no room for a second one.
        """
        await asyncio.get_running_loop().run_in_executor(self._writer, self._vacuum)

    def _vacuum(self) -> None:
        try:
            self._write_connection.execute("VACUUM")
            self._write_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    async def _write_until_closed(self) -> None:
        closed = False
        while not (closed and self._pending.empty()):
            first = await self._pending.get()
            items = [first]
            while len(items) < MOST_AT_ONCE and not self._pending.empty():
                items.append(self._pending.get_nowait())
            closed = closed or None in items
            batch = [item for item in items if item is not None]
            if batch:
                _answer(batch, await self._outcomes([item.query for item in batch]))

    async def _outcomes(self, queries: list[Query[Any]]) -> list[_Outcome]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, self._commit, queries)
        except Exception as error:   # noqa: BLE001  it is raised where the writes were asked for; the writer lives on
            return [(None, error)] * len(queries)

    def _commit(self, queries: list[Query[Any]]) -> list[_Outcome]:
        """What is written last on a full disk is written with the room that was kept back for it."""
        try:
            outcomes = self._transaction(queries)
        except sqlite3.Error as error:
            if not self._ballast.let_go():
                return [(None, self._unwritable(error))] * len(queries)
            try:
                return self._transaction(queries)
            except sqlite3.Error as again:
                return [(None, self._unwritable(again))] * len(queries)
        self._ballast.ensure()
        return outcomes

    def _transaction(self, queries: list[Query[Any]]) -> list[_Outcome]:
        """All of them in one transaction. A query that fails is undone alone; a disk that fails undoes them all.

        Raises:
            sqlite3.Error: The disk; nothing was written.
        """
        connection = self._write_connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_run(connection, query) for query in queries]
            connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return outcomes

    def _unwritable(self, error: sqlite3.Error) -> StateUnwritable:
        return StateUnwritable(
            f"cannot write {self._path}: {error}", hint="make room on the disk; what was not written was not done",
        )

    def _open(self) -> None:
        try:
            self._write_connection = _connect(self._path)
            self._write_connection.execute("PRAGMA journal_mode=WAL")
            self._write_connection.execute("PRAGMA synchronous=FULL")
            self._write_connection.execute("PRAGMA secure_delete=ON")   # what is deleted or changed is overwritten
            _migrate(self._write_connection, self._path)
            self._read_connection = _connect(self._path)
            self._read_connection.execute("PRAGMA query_only=ON")
            self._ballast.ensure()
        except sqlite3.Error as error:
            raise StateUnreadable(
                f"cannot open {self._path}: {error}", hint="look at the disk, or restore the database from a backup",
            ) from None

    async def _close(self) -> None:
        """After the last write. Who reads is waited for: a connection must not be closed under a query."""
        loop = asyncio.get_running_loop()
        if hasattr(self, "_read_connection"):
            await loop.run_in_executor(self._reader, self._read_connection.close)
        if hasattr(self, "_write_connection"):
            await loop.run_in_executor(self._writer, self._write_connection.close)
        self._reader.shutdown()
        self._writer.shutdown()


_Outcome = tuple[Any, Exception | None]


def _run(connection: sqlite3.Connection, query: Query[Any]) -> _Outcome:
    """
    Raises:
        sqlite3.Error: The disk is full or failing, not the query wrong; the transaction cannot go on.
    """
    connection.execute("SAVEPOINT one")
    outcome: _Outcome
    try:
        outcome = query(connection), None
    except Exception as error:   # the caller's own, and raised there
        if isinstance(error, sqlite3.DatabaseError) and not _is_bug(error):
            raise   # SQLite may have rolled everything back already
        connection.execute("ROLLBACK TO one")
        outcome = None, error
    connection.execute("RELEASE one")
    return outcome


def _is_bug(error: sqlite3.DatabaseError) -> bool:
    """A query that is wrong or breaks a rule, as against a database that cannot be written or read."""
    if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError)):
        return True
    return _code(error) in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE)


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code; the upper bits tell its variants apart."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _answer(batch: list[_Write], outcomes: list[_Outcome]) -> None:
    for item, (result, error) in zip(batch, outcomes, strict=True):
        if item.done.done():
            continue   # who asked was cancelled meanwhile; it is written all the same
        if error is not None:
            item.done.set_exception(error)
        else:
            item.done.set_result(result)


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[Store]:
    """The database at a path, made or brought up to date; its folder is locked as long as it is open.

    What was asked for before the end is written before the database is closed.

    Raises:
        StateLocked: Another daemon has it open.
        StateTooNew: A newer deployd wrote it.
        StateUnreadable: It is no database, or cannot be opened.
    """
    lock = _lock(path)
    store = Store(path)
    # Not a TaskGroup: it would wrap whatever ends the daemon into a group. Its owner is this function, which awaits it.
    writing: asyncio.Task[None] | None = None
    try:
        await asyncio.get_running_loop().run_in_executor(store._writer, store._open)
        writing = asyncio.get_running_loop().create_task(store._write_until_closed(), name="state writer")
        yield store
    finally:
        try:
            store._closing = True
            if writing is not None:
                await store._pending.put(None)
                await writing
            await store._close()
        finally:
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
            hint="start the newer deployd again, or restore the database of the older one",
        )
    for number, script in enumerate(MIGRATIONS[there:], there + 1):
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _lock(database: Path) -> int:
    folder = database.parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateUnwritable(
            f"cannot write into {folder}: {error.strerror}", hint="give it room and the rights, or set another `state`",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(handle, 20).decode() or "unknown"
        os.close(handle)
        raise StateLocked(
            f"another deployd (process {other}) works on {folder}",
            hint="stop it first, or give this one a directory of its own",
        ) from None
    with suppress(OSError):   # a full disk; the lock holds without the number
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle
