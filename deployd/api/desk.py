"""What can be asked for, over the database and the lanes."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from typing import ClassVar

import structlog

from deployd.access.errors import NotFound
from deployd.activity.journal import read_result
from deployd.activity.lanes import Lanes
from deployd.api.board import activity_shape, lock_shape
from deployd.api.shapes import ActivityShape, CollectShape, LockedShape, PassShape, PlanShape, ThingShape
from deployd.clock import Clock
from deployd.deployment.desired import cannot_be_masked
from deployd.deployment.preview import plan_offered
from deployd.deployment.requests import ask_for
from deployd.deployment.share import refuse_beyond_share
from deployd.environment.naming import environment_of_branch, environment_type
from deployd.environment.variables import doubtful_variables
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId, EnvironmentName, ProjectId
from deployd.release.ports import Host
from deployd.release.version import Version
from deployd.router.passes import LINK_LIFETIME, pass_link
from deployd.router.paths import RouterPlaces
from deployd.settings import ProjectSettings
from deployd.state import activities, environments, locks
from deployd.state.activities import Activity, Trigger
from deployd.state.environments import Environment
from deployd.state.locks import Lock
from deployd.state.store import Store
from deployd.upkeep.collect.collector import Collector, Round

log = structlog.get_logger()


class NothingLive(DeployError):
    """The environment has never been live, or there is no version to go back to."""

    code: ClassVar[str] = "nothing-live"


class NotLocked(DeployError):
    """The environment is not locked."""

    code: ClassVar[str] = "not-locked"


class AlreadyEnded(DeployError):
    """The activity has ended and cannot be cancelled."""

    code: ClassVar[str] = "already-ended"


class StateDesk:
    """Makes activities of what people ask for."""

    def __init__(self, store: Store, host: Host, lanes: Lanes, clock: Clock, collector: Collector) -> None:
        self._collector = collector
        self._store = store
        self._host = host
        self._lanes = lanes
        self._clock = clock
        self._pass_key = RouterPlaces(host.settings.run).pass_key

    async def redeploy(self, project: str, environment: str, who: str) -> ActivityShape:
        """Deploy the commit that is live once more."""
        found = await self._environment(project, environment)
        live = await self._host.facts.live(found.id)
        if live is None:
            raise NothingLive(f"nothing is live in {found.branch}", mend="push the branch")
        return await self._enqueue(found, "redeploy", live.commit, Trigger(who, "api"))

    async def rollback(
        self, project: str, environment: str, to: int | None, who: str, *, lock: bool | None = None,
    ) -> ActivityShape:
        """Go back to an earlier version; without a number to the newest one that is another than the live one.

        Production is locked with it unless that is not wanted: else the next push would take the rollback away again.
        A redeploy of an unchanged version makes a version like the one before: to go back to that would change nothing.
        """
        found = await self._environment(project, environment)
        keep = self._host.settings.keep_versions
        versions = await self._store.read(
            lambda db: environments.earlier_versions(db, found.id, keep + 1),
        )
        known = {number: read_result(text, Version) for number, _, text in versions}
        live = known.pop(found.live_activity, None) if found.live_activity else None
        chosen = next((number for number, version in known.items()
                       if (number == to if to is not None else live is None or not is_same(version, live))), None)
        if chosen is None:
            there = ", ".join(map(str, known)) or "none"
            raise NothingLive(
                f"{found.branch} has no version {to if to is not None else 'before the live one'} to go back to",
                mend=f"versions that were live, by their activity: {there}",
            )
        locks_it = lock if lock is not None else self._is_production(found)
        return await self._enqueue(
            found, "rollback", known[chosen].commit, Trigger(who, "api", to=chosen),
            lock=self._lock_of(found, who, f"rolled back to activity {chosen}") if locks_it else None,
        )

    async def lock(self, project: str, environment: str, reason: str, who: str) -> LockedShape:
        """Keep what is live: pushes are built, and wait. What runs already goes on, and is named."""
        found = await self._environment(project, environment)
        made = self._lock_of(found, who, _one_line(reason))

        def lock(db: sqlite3.Connection) -> list[Activity]:
            activities.lock(db, made, found.branch)
            return activities.latest(
                db, environment=found.id, states=("in_progress",),
            )

        running = await self._store.write(lock)
        log.info("environment_locked", project=found.project, environment=found.name, who=who, reason=made.reason)
        return LockedShape(found.project, found.name, found.branch, lock_shape(made),
                           tuple(item.id for item in running))

    async def unlock(self, project: str, environment: str, who: str) -> LockedShape:
        """Let what was held go on.

        Raises:
            NotLocked: Nobody has locked it.
        """
        found = await self._environment(project, environment)

        def unlock(db: sqlite3.Connection) -> list[ActivityId] | None:
            if not locks.remove(db, found.id):
                return None
            return activities.release(db, found.id)

        released = await self._store.write(unlock)
        if released is None:
            raise NotLocked(f"{found.branch} is not locked")
        log.info("environment_unlocked", project=found.project, environment=found.name, who=who)
        self._lanes.wake()
        return LockedShape(found.project, found.name, found.branch, None, tuple(released))

    async def make_pass(self, project: str, environment: str, who: str) -> PassShape:
        """Links for an operator, one for each host of what is live."""
        found = await self._environment(project, environment)
        live = await self._host.facts.live(found.id)
        if live is None:
            raise NothingLive(f"nothing is live in {found.branch}: nobody waits there", mend="push the branch")
        key, now = await asyncio.to_thread(self._pass_key.read_bytes), self._clock.now()
        links = dict.fromkeys(
            pass_link(key, str(found.id), url, now) for url in live.routes if "*" not in url
        )
        log.info("pass_made", project=found.project, environment=found.name, who=who)
        return PassShape(tuple(links), (now + LINK_LIFETIME).isoformat())

    async def cancel(self, activity: int, who: str) -> ActivityShape:
        """Wish that an activity ends; what it began is undone, unless it is past its switch."""
        if not await self._lanes.cancel(ActivityId(activity), who):
            raise AlreadyEnded(f"activity {activity} has ended already")
        return await self._shape(ActivityId(activity))

    async def retry_undo(self, activity: int) -> ActivityShape:
        """Try an undo that is stuck at once."""
        await self._lanes.retry_undo(ActivityId(activity))
        return await self._shape(ActivityId(activity))

    async def skip_undo(self, activity: int, who: str) -> ActivityShape:
        """Leave undone what is stuck, and go on with the rest."""
        await self._lanes.skip_undo(ActivityId(activity), who)
        return await self._shape(ActivityId(activity))

    async def collectable(self, *, deleted: bool) -> CollectShape:
        """What housekeeping would take away now."""
        return _round_shape(await self._collector.preview(deleted=deleted))

    async def collect(self, who: str, *, deleted: bool) -> CollectShape:
        """Take away now what nobody needs."""
        return _round_shape(await self._collector.collect(who, deleted=deleted))

    async def plan(self, project: str, body: bytes) -> PlanShape:
        """What a push of a working tree would do, one line each."""
        of = self._project(project)
        branch, plan = await plan_offered(self._host, of, body)
        refused = (f"refused: {reason}" for reason in plan.refusals)
        lock = await self._store.read(lambda db: locks.find(db, environment_of_branch(of.id, branch)))
        locked = (f"waits when it is built: {lock.said(branch)}",) if lock else ()
        said = (*plan.lines(), *cannot_be_masked(of), *doubtful_variables(of), *locked, *refused)
        return PlanShape(project, branch, said)

    async def _enqueue(
        self, environment: Environment, kind: str, commit: CommitId, trigger: Trigger, lock: Lock | None = None,
    ) -> ActivityShape:
        def enqueue(db: sqlite3.Connection) -> ActivityId:
            # With the wish: a push that comes now is held already. Somebody's own lock keeps its words.
            if lock is not None and locks.find(db, lock.environment) is None:
                activities.lock(db, lock, environment.branch)
            return ask_for(
                db, partial(refuse_beyond_share, self._host.settings), kind, environment.id,
                environment.branch, commit, trigger, now=self._clock.now(),
            )

        number = await self._store.write(enqueue)
        self._lanes.wake()
        return await self._shape(number)

    def _is_production(self, environment: Environment) -> bool:
        return environment_type(self._host.settings.projects[environment.project], environment.branch) == "production"

    def _lock_of(self, environment: Environment, who: str, reason: str) -> Lock:
        return Lock(environment.id, who, reason, self._clock.now())

    async def _shape(self, number: ActivityId) -> ActivityShape:
        found = await self._store.read(lambda db: activities.find(db, number))
        assert found is not None
        return activity_shape(found)

    def _project(self, project: str) -> ProjectSettings:
        settings = self._host.settings.projects.get(ProjectId(project))
        if settings is None:
            raise NotFound(f"there is no project {project}", mend="`deployd projects` shows what there is")
        return settings

    async def _environment(self, project: str, environment: str) -> Environment:
        """By machine name or branch."""
        settings = self._project(project)
        for found in await self._store.read(lambda db: environments.list_all(db, settings.id)):
            if environment in (found.name, found.branch):
                return found
        raise NotFound(
            f"the project {project} has no environment {EnvironmentName(environment)}",
            mend=f"`deployd environments --project {project}` shows what there is",
        )


def _one_line(text: str) -> str:
    """What somebody wrote, as every pusher's terminal may show it."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def is_same(one: Version, other: Version) -> bool:
    """Whether visitors and applications could not tell two versions apart. Pure."""
    return one.commit == other.commit and one.as_live() == other.as_live()


def _round_shape(found: Round) -> CollectShape:
    things = tuple(
        ThingShape(going.thing.kind, going.thing.name, going.thing.why, going.thing.size_bytes,
                   going.unneeded_since.isoformat())
        for going in found.going
    )
    return CollectShape(found.at.isoformat(), found.size_bytes, found.short, things)
