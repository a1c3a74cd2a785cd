"""What is live in an environment, read from the database, and who is at work there.

    no activity in progress            ours: whatever is not as it should be is mended
    … in progress, before `deploy`     ours still: the deployment has touched nothing yet
    … from `deploy` to the switch      the deployment's: it starts, stops and switches, and we would be in its way;
                                       also while it is undone
    … after the switch                 ours again: the new version is live
    a delete waits or is in progress   nobody's: nothing is mended any more
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from deployd.activity.journal import DONE, Journal, read_result
from deployd.deployment.results import Frozen
from deployd.deployment.steps import QUIET_PHASES, table_of
from deployd.deployment.view import Deployment
from deployd.ids import ActivityId, EnvironmentId
from deployd.release.release import Release, live_release
from deployd.release.version import Version
from deployd.settings import Settings
from deployd.state import activities, entries, environments
from deployd.state.activities import Activity
from deployd.state.store import Store


class Hands(Enum):
    """Whose an environment is at the moment."""

    OURS = "ours"
    DEPLOYMENT = "the deployment's"
    NOBODY = "nobody's"


@dataclass(frozen=True, slots=True)
class At:
    """Who is at work in an environment."""

    hands: Hands
    live: ActivityId | None
    """Whose version is live."""
    running: Activity | None = None
    """The activity that is in progress."""
    frozen_at: datetime | None = None
    """When its freeze began, as long as that is on."""
    switching: bool = False
    """The switch has begun and its end is not known yet."""


async def read_live(store: Store, settings: Settings, key: EnvironmentId) -> Release | None:
    """What is live in an environment."""
    if key.project not in settings.projects:
        return None
    text = await store.read(lambda db: environments.live_version(db, key))
    environment = await store.read(lambda db: environments.find(db, key))
    if text is None or environment is None:
        return None
    version = read_result(text, Version)
    return live_release(settings, settings.projects[key.project], key, environment.branch, version)


async def read_running(store: Store, settings: Settings, activity: Activity) -> Deployment:
    """The deployment that is in progress, as its own steps see it."""
    journal = Journal(tuple(await store.read(lambda db: entries.of_activity(db, activity.id))))
    return Deployment(activity, settings.projects[activity.project], settings.instance, journal)


async def read_keys(store: Store) -> list[EnvironmentId]:
    """Every environment that has something live."""
    return [item.id for item in await store.read(environments.live_ones)]


async def read_at(store: Store, key: EnvironmentId) -> At:
    """Who is at work in an environment. Ask right before touching it, and once more after waiting."""
    return await store.read(lambda db: _at(db, key))


def _at(db: sqlite3.Connection, key: EnvironmentId) -> At:
    environment = environments.find(db, key)
    live = environment.live_activity if environment else None
    opened = activities.latest(db, environment=key, states=activities.OPEN)
    running = next((activity for activity in opened if activity.state == "in_progress"), None)
    if any(activity.kind == "delete" and not activity.held for activity in opened):
        return At(Hands.NOBODY, live, running)
    if running is None:
        return At(Hands.OURS, live)
    journal = Journal(entries.of_activity(db, running.id))
    table = table_of(running.kind, running.table_version)
    if table is None:   # of a newer deployd
        return At(Hands.DEPLOYMENT, live, running)
    switch = table.switch
    quiet = {step.name for step in table.steps if step.phase in QUIET_PHASES}
    touched = any(entry.step and entry.step not in quiet for entry in journal.entries)
    if not touched or (switch and journal.count(switch, DONE)):
        return At(Hands.OURS, live, running)
    freeze = journal.last("freeze")
    held = freeze is not None and freeze.event == DONE and journal.result("freeze", Frozen).held
    return At(
        Hands.DEPLOYMENT, live, running, freeze.at if freeze and held else None,
        switching=bool(switch and journal.last(switch)),
    )
