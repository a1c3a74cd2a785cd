"""A store in memory without threads, for tests in virtual time; keeps the promises of `deployd.state.store.Store`."""

import asyncio
import sqlite3
from typing import Any

from deployd.state.migrations import MIGRATIONS


class MemoryStore:
    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        for script in MIGRATIONS:
            self.db.executescript(script)

    async def write(self, query: Any) -> Any:
        await asyncio.sleep(0)
        self.db.execute("BEGIN")
        try:
            result = query(self.db)
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")
        await asyncio.sleep(0)
        return result

    async def read(self, query: Any) -> Any:
        await asyncio.sleep(0)
        return query(self.db)

    def close(self) -> None:
        self.db.close()
