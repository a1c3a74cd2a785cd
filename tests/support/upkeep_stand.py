"""An environment that is live, for the tests of upkeep: a database in memory, a host of doubles, dates that follow the
loop's time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deployd.activity.journal import write_result
from deployd.deployment.kinds import KINDS
from deployd.deployment.results import Fetched, Planned
from deployd.engine.names import Names
from deployd.environment.naming import machine_name
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId, SlugKey
from deployd.plan import KeyParts, Plan
from deployd.project.reader import read_project
from deployd.release.paths import Places
from deployd.release.version import AppVersion, Version
from deployd.router.table import EnvironmentTraffic, Released, RouterStatus, RouteSet
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, entries, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.state.entries import Entry
from tests.doubles.store import MemoryStore
from tests.doubles.trees import DictTree

SHOP, MAIN = ProjectId("shop"), machine_name("main")
KEY = EnvironmentId(SHOP, MAIN)
INSTANCE = "test-upkeep"
BASE = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
APP = "name: app\ntype: python:3.13\nweb: {commands: {start: sleep 1}}\n"


class LoopClock:
    """Now is a base and the loop's time, so that dates and waiting move together."""

    def now(self) -> datetime:
        return BASE + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass
class RouterDouble:
    put_sets: list[RouteSet] = field(default_factory=list)
    frozen: dict[str, float] = field(default_factory=dict)
    started: int = 1
    is_complete: bool = True
    away: bool = False

    told: list[str] = field(default_factory=list)
    """Commands, in order."""

    async def put(self, routes: RouteSet, *, over: str | None) -> bool:
        if over != await self.look(routes.environment):
            return False
        self.put_sets.append(routes)
        self.told.append("put")
        return True

    async def look(self, environment: str) -> str | None:
        return next((item.version for item in reversed(self.put_sets) if item.environment == environment), None)

    async def freeze(self, environment: str, seconds: float, hosts: Sequence[str] = ()) -> None:
        self.frozen[environment] = seconds
        self.told.append("freeze")

    async def preview(self, routes: RouteSet) -> None:
        if routes.environment not in self.frozen:
            raise DeployError("it is open")
        self.told.append(f"preview {routes.version}")

    async def thaw(self, environment: str) -> None:
        self.frozen.pop(environment, None)
        self.told.append("thaw")

    async def complete(self) -> None:
        self.is_complete = True

    async def is_closed(self, environment: str) -> bool:
        if self.away:
            raise DeployError("the router does not listen")
        return environment in self.frozen

    async def status(self, *, environments: bool = True) -> RouterStatus:
        if self.away:
            raise DeployError("the router does not listen")
        traffic = {name: EnvironmentTraffic("1", True, left, False, 0, Released())
                   for name, left in self.frozen.items()}
        return RouterStatus(1, self.started, self.is_complete, 1, traffic, 0, 0, 0, 0, 0)


@dataclass
class Stand:
    """One environment, `main` of `shop`, whose activity 1 is live."""

    folder: Path
    app: str = APP
    files: dict[str, str] = field(default_factory=dict)
    """The repository, when it is more than the one application."""
    store: MemoryStore = field(default_factory=MemoryStore)
    router: RouterDouble = field(default_factory=RouterDouble)
    clock: LoopClock = field(default_factory=LoopClock)
    engine: Any = None

    def __post_init__(self) -> None:
        version = AppVersion("app", SlugKey("0" * 64), "tree", "image", KeyParts("", "", "", "", ""), "")
        self.version = Version(self.enqueue("push"), CommitId("a" * 40), (version,), (), ("http://shop.localhost/",))
        db = self.store.db
        environments.ensure(db, KEY, "main", BASE)
        environments.set_live(db, KEY, self.version.activity, write_result(self.version), BASE)
        activities.begin(db, self.version.activity, BASE)
        activities.finish(db, self.version.activity, "success", "", BASE)

    def become(self, app: str) -> None:
        """Another version becomes live."""
        self.app = app
        self.version = replace(self.version, activity=self.enqueue("push"))
        environments.set_live(
            self.store.db, KEY, self.version.activity, write_result(self.version), self.clock.now(),
        )
        self.finish(self.version.activity)

    @property
    def names(self) -> Names:
        return Names(INSTANCE, KEY)

    @property
    def host(self) -> Any:
        async def read(project: ProjectSettings, commit: CommitId) -> Any:
            return read_project(DictTree(self.files or {".platform.app.yaml": self.app}))

        async def mounted(slug: SlugKey) -> Path:
            return self.folder

        async def all_mounted() -> frozenset[SlugKey]:
            return frozenset(app.slug for app in self.version.apps)

        settings = Settings(instance=INSTANCE, state=self.folder, run=self.folder.with_name(f"{self.folder.name}-run"),
                            projects={SHOP: ProjectSettings(id=SHOP)})
        return SimpleNamespace(
            settings=settings, clock=self.clock, places=Places(self.folder, self.folder), engine=self.engine,
            code=SimpleNamespace(read=read), router=self.router,
            slugs=SimpleNamespace(ensure_mounted=mounted, all_mounted=all_mounted),
        )

    def enqueue(self, kind: str) -> ActivityId:
        return activities.enqueue(self.store.db, NewActivity(
            KINDS[kind], KEY, "main", CommitId("a" * 40), Trigger("ada", "git")), BASE)

    def deploy(self, *steps: tuple[str, str, str | None]) -> ActivityId:
        """An activity that is in progress and has been planned, with entries (step, event, result) in its journal."""
        number = self.enqueue("push")
        activities.begin(self.store.db, number, BASE)
        planned = Planned(replace(self.version, activity=number), None, Plan((), (), run_deploy_hook=True), ())
        validated = (
            ("fetch", "done", write_result(Fetched(self.version.commit))),
            ("read_and_plan", "done", write_result(planned)),
        )
        for step, event, result in (*validated, *steps):
            entries.append(self.store.db, number, Entry(step, event, self.clock.now(), result))
        return number

    def journal(self, number: ActivityId, step: str, event: str) -> None:
        entries.append(self.store.db, number, Entry(step, event, self.clock.now()))

    def finish(self, number: ActivityId) -> None:
        activities.finish(self.store.db, number, "success", "", self.clock.now())
