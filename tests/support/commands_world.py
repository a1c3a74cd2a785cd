"""A database in memory in which something is done, and lanes that only count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from deployd.activity.journal import read_result, write_result
from deployd.activity.masking import Masker
from deployd.commands.activities import ActivityCommands
from deployd.commands.descriptions import DescriptionCommands
from deployd.commands.environments import EnvironmentCommands
from deployd.commands.locks import LockCommands
from deployd.commands.passes import PassCommands
from deployd.commands.rests import RestCommands
from deployd.commands.variables import Sealed, VariableCommands
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId, SlugKey
from deployd.plan import KeyParts
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.variable_effects import EffectShape
from deployd.release.kept_variables import WhatIf
from deployd.release.ports import Host
from deployd.release.version import AppVersion, Version
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.state.sealing import Sealer
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)
PARTS = KeyParts("tree", "settings", "variables", "image", "recipe")


def version(commit: str, running: str = "r") -> Version:
    app = AppVersion("app", SlugKey(commit * 64), "tree", "image", PARTS, running)
    return Version(ActivityId(0), CommitId(commit * 40), (app,), (), ("http://shop.test/",))


class Lanes:
    def __init__(self) -> None:
        self.woken = 0
        self.open: set[int] = set()

    def wake(self) -> None:
        self.woken += 1

    async def cancel(self, activity: ActivityId, who: str) -> bool:
        return activity in self.open


class World:
    def __init__(self, folder: Path, project: dict[str, Any] | None = None) -> None:
        """
        Args:
            project: Settings of `shop`.
        """
        self.store = MemoryStore()
        self.tip_now: CommitId | None = CommitId("f" * 40)
        """Of every branch."""
        self.lanes = Lanes()
        settings = Settings.model_validate({
            "directory": str(folder), "projects": {"shop": project or {}}, "keep_versions": 5,
        })
        self.run = settings.run
        self.settings = settings
        clock: Any = SimpleNamespace(now=lambda: NOW)
        host = cast(Host, SimpleNamespace(settings=settings, facts=self, clock=clock, code=self))
        store, lanes = cast(Any, self.store), cast(Any, self.lanes)
        known = EnvironmentQueries(store, settings, lambda _: ())
        requests = Requests(store, settings, clock, lanes.wake)
        self.environments = EnvironmentCommands(store, host, known, requests)
        self.known = known
        self.rests = RestCommands(store, host, known, requests)
        self.descriptions = DescriptionCommands(store, settings, known)
        self.locks = LockCommands(store, clock, known, requests)
        self.passes = PassCommands(host, known)
        self.activities = ActivityCommands(store, lanes)
        self.now = NOW
        self.sealer, self.masker = Sealer([bytes(32)]), Masker()
        self.effects: tuple[EffectShape, ...] = ()
        """Of every change of a variable."""
        self.looked: list[WhatIf] = []
        self.variables = VariableCommands(
            store, host, known, requests, Sealed(self.sealer, self.masker), cast(Any, SimpleNamespace(of=self.look)),
        )

    def protect(self) -> None:
        """The environment of main, which is not production then."""
        self.settings.projects[SHOP] = ProjectSettings.model_validate({
            "id": "shop", "production_branch": "production",
            "environments": {"main": {"protected": {"source": "develop"}}},
        })

    async def look(self, project: ProjectSettings, what_if: WhatIf) -> tuple[EffectShape, ...]:
        self.looked.append(what_if)
        return self.effects

    async def live(self, environment: EnvironmentId) -> Version | None:
        text = await self.store.read(lambda db: environments.live_version(db, environment))
        return read_result(text, Version) if text else None

    async def tip(self, project: ProjectId, branch: str) -> CommitId | None:
        return self.tip_now

    async def went_live(self, *versions: Version) -> None:
        """One push after the other."""
        new = NewActivity(KINDS["push"], SHOP_MAIN, "main", CommitId("0" * 40), Trigger("ada", "git"))

        def write(db: Any, item: Version) -> None:
            environments.ensure(db, SHOP_MAIN, "main", NOW)
            number = activities.enqueue(db, new, NOW)
            activities.begin(db, number, NOW)
            activities.finish(db, number, "success", "", NOW)
            environments.set_live(db, SHOP_MAIN, number, write_result(replace(item, activity=number)), NOW)

        for item in versions:
            await self.store.write(lambda db, item=item: write(db, item))

    async def pushed(self, commit: str, state: activities.State) -> ActivityId:
        """A push of it to main, that ended so."""
        new = NewActivity(KINDS["push"], SHOP_MAIN, "main", CommitId(commit), Trigger("ada", "git"))

        def write(db: Any) -> ActivityId:
            environments.ensure(db, SHOP_MAIN, "main", NOW)
            number = activities.enqueue(db, new, NOW)
            activities.begin(db, number, NOW)
            activities.finish(db, number, state, "", NOW)
            return number

        made: ActivityId = await self.store.write(write)
        return made

    async def target(self, number: int) -> ActivityId | None:
        """To which version an activity goes back."""
        found = await self.store.read(lambda db: activities.find(db, ActivityId(number)))
        target: ActivityId | None = found.trigger.to
        return target
