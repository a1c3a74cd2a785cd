"""Two people who bring main to a protected environment: one asks for it, and the operator approves."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from scripts.local_daemon import LocalDaemon

LIMIT_SECONDS = 60.0
ASK = "/api/v1/projects/kill/environments/gate/promote"


@dataclass(frozen=True)
class Promoter:
    daemon: LocalDaemon

    @property
    def state(self) -> Path:
        return self.daemon.directory / "var/state/state.db"

    async def promote(self) -> None:
        """The daemon may die over the answer."""
        with suppress(aiohttp.ClientError):
            async with self.daemon.session() as session, session.post(ASK, json={"source": "main"}) as answer:
                assert answer.status == 202, await answer.text()

    async def approve(self) -> None:
        """What it offers, as soon as it waits."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (found := self._read("SELECT digest FROM tickets WHERE state = 'waiting'")):
                await asyncio.sleep(0.05)
        connector = aiohttp.UnixConnector(str(self.daemon.directory / "var/run/api.sock"))
        async with aiohttp.ClientSession("http://deployd", connector=connector) as session:
            with suppress(aiohttp.ClientError):
                async with session.post("/api/v1/tickets/1/approve", json={"digest": found[0][0]}) as answer:
                    assert answer.status == 200, await answer.text()

    def states(self) -> list[tuple[str, int]]:
        """(state, approvals) of all tickets"""
        return [(str(state), int(count)) for state, count in self._read(
            "SELECT state, (SELECT count(*) FROM approvals WHERE ticket = id) FROM tickets",
        )]

    def slugs(self) -> list[tuple[str, str]]:
        """(branch, slug) of each version that was live."""
        rows = self._read("SELECT branch, version FROM versions JOIN activities ON id = activity ORDER BY id")
        return [(str(branch), str(json.loads(str(text))["apps"][0]["slug"])) for branch, text in rows]

    def _read(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()
