"""What another value of a variable would build and start anew: said before it is changed, and done after that.

The environment whose variable it is, is planned as its deployment plans it. Of others only the variables are compared:
they get theirs with whatever is deployed there next.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Set
from dataclasses import dataclass, replace

from deployd.deployment.desired import Candidate, find_wanted, variable_digests
from deployd.environment.kept_variables import NO_VARIABLES
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.plan import make_plan
from deployd.project.model import Application, ProjectConfig
from deployd.release.configuration import config_of
from deployd.release.kept_variables import WhatIf, levels_at, seen_now
from deployd.release.ports import Host
from deployd.release.release import Environment as Place
from deployd.release.version import Version
from deployd.settings import ProjectSettings
from deployd.settings.variables import VariableLevel
from deployd.state import environments
from deployd.state.environments import Environment
from deployd.state.rests import AWAKE
from deployd.state.sealing import Sealer
from deployd.state.store import Store
from deployd.state.variables import OF_PROJECT

MOST_LOOKED_AT = 20
"""Environments besides the one whose variable it is; the others are named."""
NOW, NEXT, NEVER = "now", "next deployment", "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectShape:
    """What a change of a variable means for one environment."""

    environment: str
    branch: str
    when: str
    """`now`: a deployment of it is begun; `next deployment`: with whatever is deployed there next, and nothing before;
    `never`: it changes nothing there."""
    built: tuple[str, ...] = ()
    """Applications whose builds see another value. What was built with it before is taken again."""
    restarted: tuple[str, ...] = ()
    """Applications that get new containers, with their workers."""
    lines: tuple[str, ...] = ()
    """The plan of its deployment, where one is begun."""
    why: str = ""
    """Why it is not now, or not at all, or why nobody knows."""


class VariableEffects:
    def __init__(self, store: Store, host: Host, sealer: Sealer) -> None:
        self._store = store
        self._host = host
        self._sealer = sealer

    async def of(self, project: ProjectSettings, what_if: WhatIf) -> tuple[EffectShape, ...]:
        """Of a change: first on the environment whose variable it is, then on those that see it too."""
        found = await self._store.read(lambda db: environments.list_all(db, project.id))
        own = [item for item in found if item.name == what_if.environment]
        others = [item for item in found if item.name != what_if.environment]
        if what_if.environment != OF_PROJECT:
            others = [item for item in others if await self._descends(project, item, own)]
        effects = [await self._on(project, item, what_if, is_own=True) for item in own]
        effects += [await self._on(project, item, what_if, is_own=False) for item in others[:MOST_LOOKED_AT]]
        effects += [
            EffectShape(environment=item.name, branch=item.branch, when=NEXT, why="not looked at: there are too many")
            for item in others[MOST_LOOKED_AT:]
        ]
        return tuple(effects)

    async def _descends(self, project: ProjectSettings, item: Environment, own: list[Environment]) -> bool:
        seen = await self._store.read(lambda db: seen_now(db, project, item.branch))
        return any(one.branch in seen.parents for one in own)

    async def _on(self, project: ProjectSettings, item: Environment, what_if: WhatIf, *, is_own: bool) -> EffectShape:
        made = EffectShape(environment=item.name, branch=item.branch, when=NEXT)
        live = await self._host.facts.live(item.id)
        if live is None:
            return replace(made, why="nothing is live there yet")
        before, after = await self._before_and_after(project, item, what_if)
        try:
            config = await config_of(project, live.commit, self._host)
            if await asyncio.to_thread(_are_same, config, before, after, item.branch):
                return replace(made, when=NEVER, why="no application there would see another value")
            built, restarted = await asyncio.to_thread(_changed, config, after, item.branch, live)
            if not restarted:
                return replace(made, when=NEVER, why="what is live there has that value already")
            made = replace(made, built=built, restarted=restarted)
            if not is_own:
                return made
            if item.rest != AWAKE:
                return replace(made, why=f"it is {item.rest}")
            return replace(made, when=NOW, lines=await self._plan(after, item, live, config))
        except DeployError as error:   # its files are refused by now, say: then the deployment says so too
            return replace(made, when=NOW if is_own and item.rest == AWAKE else NEXT, why=error.what)

    async def _before_and_after(
        self, project: ProjectSettings, item: Environment, what_if: WhatIf,
    ) -> tuple[ProjectSettings, ProjectSettings]:
        """The project as the environment sees it now, and as it would."""
        def both(db: sqlite3.Connection) -> list[tuple[VariableLevel, ...]]:
            seen = seen_now(db, project, item.branch)
            return [levels_at(db, self._sealer, project, item.branch, seen, change) for change in (None, what_if)]

        before, after = await self._store.read(both)
        return project.with_kept_variables(before), project.with_kept_variables(after)

    async def _plan(
        self, project: ProjectSettings, item: Environment, live: Version, config: ProjectConfig,
    ) -> tuple[str, ...]:
        place = Place(self._host.settings.instance, project, item.id, item.branch)
        candidate = Candidate(place, ActivityId(0), live.commit, config, variables=NO_VARIABLES)
        wanted = await find_wanted(self._host, candidate, live, lambda _: None)
        plan = make_plan(
            wanted.apps, wanted.services, wanted.version.routes, live.as_live(),
            rolling=self._host.settings.strategy_of(project, item.branch) == "rolling",
            freeze_seconds=self._host.settings.freeze_seconds,
        )
        return (*plan.lines(), *(f"refused: {why}" for why in plan.refusals))


def _changed(
    config: ProjectConfig, project: ProjectSettings, branch: str, live: Version,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(applications that are built, applications that start anew) when a version gets these variables."""
    built, restarted = [], set()
    for app in config.applications:
        in_builds, running = variable_digests(project, app, branch)
        before = live.app(app.name)
        if before is None or before.parts.variables != in_builds:
            built.append(app.name)
        if before is None or before.running != running or app.name in built:
            restarted.add(app.name)
    restarted |= _in_touch(config, restarted)
    return tuple(built), tuple(app.name for app in config.applications if app.name in restarted)


def _in_touch(config: ProjectConfig, changed: Set[str]) -> set[str]:
    """These, and applications with relationships to them, or to those: they get the addresses of new containers."""
    reached = set(changed)
    while more := {app.name for app in config.applications if app.name not in reached and _relates(app, reached)}:
        reached |= more
    return reached


def _relates(app: Application, others: Collection[str]) -> bool:
    instances = (app.web.instance, *(worker.instance for worker in app.workers))
    return any(found.target in others for instance in instances for found in instance.relationships)


def _are_same(config: ProjectConfig, one: ProjectSettings, other: ProjectSettings, branch: str) -> bool:
    return all(variable_digests(one, app, branch) == variable_digests(other, app, branch)
               for app in config.applications)
