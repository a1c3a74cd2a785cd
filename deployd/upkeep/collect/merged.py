"""Environments of branches that are merged, and that nobody uses any more."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from deployd.activity.error_boundary import ErrorBoundary
from deployd.deployment.kinds import DEACTIVATE, DELETE
from deployd.deployment.requests import Request, Requests
from deployd.ids import EnvironmentId
from deployd.release.ports import Host
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments, locks
from deployd.state.activities import Trigger
from deployd.state.environments import Environment
from deployd.state.rests import INACTIVE
from deployd.state.store import Store
from deployd.upkeep.collect.things import Thing
from deployd.upkeep.idle import last_use


async def find_merged(store: Store, host: Host, now: datetime, boundary: ErrorBoundary) -> list[Thing]:
    """Those that go, when the settings want it: the branch is in the default branch, and nobody came or deployed for
    `collect.merged_days`."""
    found = []
    for environment in await store.read(lambda db: _idle_ones(db, host.settings, now)):
        with boundary.contain(f"looking whether the branch of {environment.id} is merged"):
            project = host.settings.projects[environment.project]
            tip = await host.code.tip(project.id, environment.branch)
            if tip is not None and await host.code.contains(project.id, project.default_branch, tip):
                why = _why(host.settings, project, environment)
                found.append(Thing("environment", str(environment.id), 0, why=why))
    return found


def ask_for_end(
    db: sqlite3.Connection, requests: Requests, settings: Settings, key: EnvironmentId, who: str, now: datetime,
) -> bool:
    """Have one deactivated or deleted, in its own lane. False: somebody has come to use it."""
    found = environments.find(db, key)
    if found is None or found.id not in {item.id for item in _idle_ones(db, settings, now)}:
        return False
    kind = DELETE if settings.collect.merged == "delete" else DEACTIVATE
    requests.ask_for(db, Request(kind, key, found.branch, None, Trigger(who, "daemon")))
    return True


def _idle_ones(db: sqlite3.Connection, settings: Settings, now: datetime) -> list[Environment]:
    days = settings.collect.merged_days
    if days is None:
        return []
    locked = {lock.environment for lock in locks.list_all(db)}
    return [
        item for item in environments.list_all(db)
        if item.id not in locked and _may_go(item, settings) and now - last_use(item) >= timedelta(days=days)
        and not activities.latest(db, environment=item.id, states=activities.OPEN)
    ]


def _may_go(environment: Environment, settings: Settings) -> bool:
    project = settings.projects.get(environment.project)
    if project is None or (settings.collect.merged == "deactivate" and environment.rest == INACTIVE):
        return False
    stay = (project.production, project.default_branch, project.staging_branch, *project.protected_branches)
    return environment.branch not in stay


def _why(settings: Settings, project: ProjectSettings, environment: Environment) -> str:
    what = "is deleted" if settings.collect.merged == "delete" else "is deactivated, its data stays"
    return (f"{environment.branch} is merged into {project.default_branch}, and nobody came since"
            f" {last_use(environment):%Y-%m-%d}: it {what}")
