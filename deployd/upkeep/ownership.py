"""What is live in an environment, read from the database, and who is at work there.

    no activity in progress            ours: whatever is not as it should be is repaired
    … in progress, before `deploy`     ours still: the deployment has touched nothing yet
    … from `deploy` to the switch      the deployment's: it starts, stops and switches, and we would be in its way;
                                       also while it is undone
    … after the switch                 ours again: the new version is live
    its end waits or is in progress    nobody's: nothing is repaired any more
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from deployd.activity.journal import DONE, UNDONE, Journal, read_result
from deployd.activity.kinds import table_of
from deployd.activity.machine import has_touched_live
from deployd.activity.table import Table
from deployd.deployment.deployment import Deployment
from deployd.deployment.kinds import KINDS
from deployd.deployment.results import Frozen
from deployd.ids import ActivityId, EnvironmentId
from deployd.release.ports import Host
from deployd.release.release import Release, live_release
from deployd.release.version import Version
from deployd.settings import Settings
from deployd.state import activities, entries, environments
from deployd.state.activities import Activity
from deployd.state.rests import AWAKE, PAUSED, Rest
from deployd.state.store import Store

FREEZE = "freeze"
ENDS = frozenset(kind.name for kind in KINDS.values() if kind.ends_environment)


class Owner(Enum):
    """Whose an environment is at the moment."""

    OURS = "ours"
    DEPLOYMENT = "the deployment's"
    NOBODY = "nobody's"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who is at work in an environment."""

    owner: Owner
    live: ActivityId | None
    """Whose version is live."""
    running: Activity | None = None
    """The activity that is in progress."""
    frozen_at: datetime | None = None
    """When its freeze began, as long as that is on."""
    switching: bool = False
    """The switch has begun and its end is not known yet."""
    crons_rest: bool = False
    """No cron may start: its deployment is at the freeze, or between that and the switch, also while that is undone."""
    is_ending: bool = False
    """What is live is being stopped, or started again because it is not to stop after all."""


async def read_live(store: Store, settings: Settings, key: EnvironmentId) -> Release | None:
    """What is live in an environment, and runs."""
    return await _read_release(store, settings, key, AWAKE)


async def read_paused(store: Store, settings: Settings, key: EnvironmentId) -> Release | None:
    """What the next visitor of an environment wakes; None: it is not paused."""
    return await _read_release(store, settings, key, PAUSED)


async def _read_release(store: Store, settings: Settings, key: EnvironmentId, rest: Rest) -> Release | None:
    if key.project not in settings.projects:
        return None
    text = await store.read(lambda db: environments.live_version(db, key))
    environment = await store.read(lambda db: environments.find(db, key))
    if text is None or environment is None or environment.rest != rest:
        return None
    version = read_result(text, Version)
    return live_release(settings, settings.projects[key.project], key, environment.branch, version)


async def read_running(store: Store, host: Host, activity: Activity) -> Deployment:
    """The deployment that is in progress, as its own steps see it."""
    journal = Journal(tuple(await store.read(lambda db: entries.of_activity(db, activity.id))))
    return KINDS[activity.kind].view(host, activity, journal)


async def read_keys(store: Store) -> list[EnvironmentId]:
    """Every environment that has something live, and that runs."""
    return [item.id for item in await store.read(environments.live_ones)]


async def read_paused_keys(store: Store) -> list[EnvironmentId]:
    """Every environment that its next visitor wakes."""
    return [item.id for item in await store.read(environments.paused_ones)]


async def read_ownership(store: Store, key: EnvironmentId) -> Ownership:
    """Who is at work in an environment. Ask right before touching it, and once more after waiting."""
    return await store.read(lambda db: _ownership(db, key))


def _ownership(db: sqlite3.Connection, key: EnvironmentId) -> Ownership:
    environment = environments.find(db, key)
    live = environment.live_activity if environment else None
    opened = activities.latest(db, environment=key, states=activities.OPEN)
    running = next((activity for activity in opened if activity.state == "in_progress"), None)
    if any(activity.kind in ENDS and not activity.held for activity in opened):
        return Ownership(Owner.NOBODY, live, running)
    if running is None:
        return Ownership(Owner.OURS, live)
    journal = Journal(entries.of_activity(db, running.id))
    table = table_of(KINDS, running)
    if table is None:   # of a newer deployd
        return Ownership(Owner.DEPLOYMENT, live, running, crons_rest=True)
    switch = table.switch
    if not has_touched_live(table, journal) or (switch and journal.count(switch, DONE)):
        return Ownership(Owner.OURS, live, running)
    freeze = journal.last(FREEZE)
    held = freeze is not None and freeze.event == DONE and journal.result(FREEZE, Frozen).held
    return Ownership(
        Owner.DEPLOYMENT, live, running, freeze.at if freeze and held else None,
        switching=bool(switch and journal.last(switch)), is_ending=KINDS[running.kind].ends_runs,
        crons_rest=_is_at_freeze(table, journal),
    )


def _is_at_freeze(table: Table[Any, Any], journal: Journal) -> bool:
    """Whether the freeze, or a step after it, was begun and is not undone; of what has no freeze, any step."""
    names = [step.name for step in table.steps]
    later = names[names.index(FREEZE):] if FREEZE in names else names
    return any((last := journal.last(name)) is not None and last.event != UNDONE for name in later)
