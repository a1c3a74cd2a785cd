"""A database in memory that is asked, and an Engine that may hang."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployd.activity.log import Logs
from deployd.activity.masking import Masker
from deployd.deployment.kinds import KINDS
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.queries.activities import ActivityQueries
from deployd.queries.audit import AuditQueries
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.projects import ProjectQueries
from deployd.queries.status import Footing, Health, StatusQueries
from deployd.settings import Settings
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)


class FixedClock:
    def now(self) -> datetime:
        return NOW


class World:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.store = MemoryStore()
        self.looks = 0
        self.hangs = False
        self.troubles: list[str] = []
        self.waits: dict[ActivityId, str] = {}
        self.reasons: tuple[str, ...] = ()
        self.killed: dict[EnvironmentId, tuple[str, ...]] = {}
        self.settings = Settings.model_validate({"directory": str(folder), "projects": {"shop": {}}, **settings})
        self.settings.state.mkdir(parents=True)
        clock, store = FixedClock(), self.store
        logs = Logs(folder / "logs", clock, Masker([]))
        self.projects = ProjectQueries(store, self.settings)   # type: ignore[arg-type]
        self.environments = EnvironmentQueries(store, self.settings, lambda id: self.killed.get(id, ()))   # type: ignore[arg-type]
        self.activities = ActivityQueries(store, logs, clock, lambda number: self.waits.get(number, ""))   # type: ignore[arg-type]
        health = Health(self.look, lambda: self.troubles)
        audit = AuditQueries(store)   # type: ignore[arg-type]
        self.status = StatusQueries(
            health, self.activities, self.environments, self.settings, time.monotonic(), audit.head,
        )

    async def look(self) -> Footing:
        self.looks += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        return Footing(engine={"reachable": True}, router={"reachable": True, "held_now": 0}, reasons=self.reasons)

    async def add(self, kind: str = "push", branch: str = "main", name: EnvironmentName = MAIN) -> ActivityId:
        new = NewActivity(KINDS[kind], EnvironmentId(SHOP, name), branch, CommitId("a" * 40), Trigger("ada", "git"))

        def write(db: Any) -> ActivityId:
            environments.ensure(db, EnvironmentId(SHOP, name), branch, NOW)
            return activities.enqueue(db, new, NOW)

        number: ActivityId = await self.store.write(write)
        return number

    async def finish(self, number: ActivityId, state: activities.State) -> None:
        await self.store.write(lambda db: activities.begin(db, number, NOW))
        await self.store.write(lambda db: activities.finish(db, number, state, "", NOW))
