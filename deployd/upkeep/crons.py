"""Crons of everything that is live: started when they are due, one of an application at a time, not into a deployment.

    due, or wanted ──► (the application's runs before have ended) ──► (no deployment is at its freeze) ──► run
                 at most one of a cron waits: a further one is skipped, and said so

While a deployment checks, builds, packs and starts the new version, crons go on; they rest from its freeze to the
switch. Both sides write before they look: a run's folder is there before it asks once more, a freeze is in the journal
before it looks for folders. So one of the two sees the other.

Runs outlive the daemon: at its start it re-attaches to those that go on, and writes down those that ended meanwhile.
What was due while no daemon ran is not made up for. What deployd does not do, and the hosted platforms do: a random
delay, and pausing the crons of environments that were not deployed for a fortnight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple
from weakref import WeakValueDictionary

import structlog

from deployd.access.errors import NotFound
from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.masking import Masker
from deployd.engine.script import has_started
from deployd.errors import DeployError
from deployd.ids import ActivityId, EnvironmentId
from deployd.release.applications.cron_runs import read_runs
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.state import environments
from deployd.state.store import Store
from deployd.upkeep.cron_run import HeldBack, LiveCron, MayStart, run_cron
from deployd.upkeep.ownership import Owner, read_live, read_ownership
from deployd.upkeep.schedule import next_due

log = structlog.get_logger()

READ_SECONDS = 15.0
"""How long it may take until the crons of a new version are known."""
TURN_SECONDS = 1.0
STARTS_AT_ONCE = 4
"""A hundred environments with `* * * * *` begin in the same second; a start costs 0.1 s of Docker."""


class CronKey(NamedTuple):
    environment: EnvironmentId
    app: str
    cron: str

    def __str__(self) -> str:
        return f"{self.environment}/{self.app}/{self.cron}"


NextDue = Callable[[LiveCron, datetime], datetime | None]
RunCron = Callable[[LiveCron, datetime, Host, Masker, asyncio.Semaphore, MayStart], Awaitable[object]]


class CronRuns(DeployError):
    """A run of a cron goes on or waits, and one that is wanted now would be beside it."""

    code: ClassVar[str] = "cron-runs"


@dataclass(frozen=True, slots=True)
class CronNow:
    """How a cron is at the moment."""

    next_due: datetime | None
    """None: it is not known yet, or never."""
    state: Literal["idle", "waits", "runs"]


def scheduled(live: LiveCron, after: datetime) -> datetime | None:
    """When a cron is due next, by its schedule in the time zone of its application."""
    return next_due(live.cron.spec, after, live.app.web.instance.timezone, seed=live.seed)


class Crons:
    """Runs the crons of all live versions."""

    def __init__(
        self, store: Store, host: Host, masker: Masker, *, next_due: NextDue = scheduled,
        run: RunCron = run_cron, read_seconds: float = READ_SECONDS, boundary: ErrorBoundary | None = None,
    ) -> None:
        self._boundary = boundary or ErrorBoundary("crons")
        self._store = store
        self._host = host
        self._masker = masker
        self._next_due = next_due
        self._run_cron = run
        self._read_seconds = read_seconds
        self._known: dict[EnvironmentId, tuple[ActivityId, dict[CronKey, LiveCron]]] = {}
        """What is live, and its crons."""
        self._due: dict[CronKey, tuple[LiveCron, datetime]] = {}
        self._running: set[CronKey] = set()
        self._waiting: dict[CronKey, datetime] = {}
        """Runs that wait for the end of the one before."""
        self._begun: dict[CronKey, str] = {}
        """{one that runs: who wanted it; empty: it was due}. It waits neither for another cron of its application nor
        for a deployment."""
        self._turns: WeakValueDictionary[tuple[EnvironmentId, str], asyncio.Lock] = WeakValueDictionary()
        """One for each application (configuration format 4.13: one cron of an application at a time)."""
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)
        self._group: asyncio.TaskGroup | None = None
        """In which runs go on; None: not yet, or not any more."""
        self._asked: dict[CronKey, str] = {}
        """Who wanted the run that waits."""

    def now(self, key: CronKey) -> CronNow:
        due = self._due.get(key)
        state: Literal["idle", "waits", "runs"] = "idle"
        if key in self._running:
            state = "runs" if key in self._begun else "waits"
        return CronNow(due[1] if due else None, state)

    async def run_now(self, key: CronKey, who: str) -> datetime:
        """Have a cron run as soon as it may: after other crons of its application, and not into a deployment.

        Returns:
            The moment by which its run is known.

        Raises:
            NotFound: There is no such cron in what is live.
            CronRuns: A run of it goes on or waits.
        """
        known = await self._read_one(key.environment)
        if key not in known:
            there = ", ".join(sorted(f"{other.cron} of {other.app}" for other in known)) or "none"
            raise NotFound(f"what is live has no cron {key.cron} of {key.app}", hint=f"crons that there are: {there}")
        if self._group is None:
            raise CronRuns("crons are not looked after at the moment", hint="try again in some seconds")
        if key in self._running:
            by = self._begun.get(key, self._asked.get(key, ""))
            how = "runs" if key in self._begun else "waits for its turn"
            raise CronRuns(
                f"{key.cron} of {key.app} {how} already" + (f", wanted by {by}" if by else ""), hint="wait for its end",
            )
        due = self._host.clock.now().replace(microsecond=0)
        self._asked[key] = who
        log.info("cron_wanted", project=key.environment.project, environment=key.environment.name, app=key.app,
                 cron=key.cron, who=who)
        self._start(key, due, self._group)
        return due

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            await self._attach(group)
            self._group = group
            try:
                while True:
                    crons = await self._read()
                    await asyncio.sleep(self._start_due(crons, group))
            finally:
                self._group = None

    def _start_due(self, crons: dict[CronKey, LiveCron], group: asyncio.TaskGroup) -> float:
        """Start what is due. Gives the seconds until something is, or until the crons are to be read again."""
        now = self._host.clock.now()
        for gone in self._due.keys() - crons.keys():
            del self._due[gone]
        for key, live in crons.items():
            with self._boundary.contain(_schedule(key)):
                self._start_one_due(key, live, now, group)
        soonest = min((moment for _, moment in self._due.values()), default=None)
        seconds = (soonest - now).total_seconds() if soonest else self._read_seconds
        return min(max(seconds, 0.01), self._read_seconds)

    def _start_one_due(self, key: CronKey, live: LiveCron, now: datetime, group: asyncio.TaskGroup) -> None:
        known = self._due.get(key)
        if known is not None and known[0].cron.spec == live.cron.spec:
            if known[1] > now:
                return
            self._start(key, known[1], group)
        self._due.pop(key, None)
        following = self._next_due(live, now)
        if following is not None:
            self._due[key] = (live, following)

    def _start(self, key: CronKey, due: datetime, group: asyncio.TaskGroup) -> None:
        if key in self._waiting or key in self._running - self._begun.keys():
            log.info("cron_skipped", project=key.environment.project, environment=key.environment.name,
                     app=key.app, cron=key.cron, due=due.isoformat(), why="an earlier run of it waits")
        elif key in self._running:
            self._waiting[key] = due
        else:
            self._running.add(key)
            group.create_task(self._carry(key, due), name=f"cron {key}")

    async def _carry(self, key: CronKey, due: datetime | None, attached: LiveCron | None = None) -> None:
        try:
            while due is not None:
                with self._boundary.contain(_run(key)):
                    await self._run(key, due, attached)
                attached, due = None, self._waiting.pop(key, None)
        finally:
            self._running.discard(key)   # no await since the look at who waits
            self._waiting.pop(key, None)
            self._asked.pop(key, None)

    async def _run(self, key: CronKey, due: datetime, attached: LiveCron | None) -> None:
        async with self._turns.setdefault(key[:2], asyncio.Lock()):   # in the order in which they were due
            while (live := attached or await self._when_it_may(key)) is not None:
                asked_by = self._asked.pop(key, "")
                self._begun[key] = asked_by
                live = replace(live, asked_by=asked_by)
                try:
                    await self._run_cron(
                        live, due, self._host, self._masker, self._starts, lambda: self._may_start(key),
                    )
                    return
                except HeldBack:
                    attached = None
                    if asked_by:
                        self._asked[key] = asked_by
                finally:
                    self._begun.pop(key, None)

    async def _when_it_may(self, key: CronKey) -> LiveCron | None:
        """Wait for the end of what goes on in the environment; None when the cron is not there any more then."""
        while True:
            if (await read_ownership(self._store, key.environment)).owner is Owner.NOBODY:
                return None
            if await self._may_start(key):
                return (await self._read_one(key.environment)).get(key)
            await asyncio.sleep(TURN_SECONDS)

    async def _may_start(self, key: CronKey) -> bool:
        at = await read_ownership(self._store, key.environment)
        return at.owner is not Owner.NOBODY and not at.crons_rest and not await self._is_held(key.environment)

    async def _is_held(self, key: EnvironmentId) -> bool:
        try:
            return await self._host.router.is_closed(str(key))
        except DeployError:   # crons do not need the router
            return False

    async def _read(self) -> dict[CronKey, LiveCron]:
        live = {item.id: item.activity for item in await self._store.read(environments.live_ones)}
        for gone in self._known.keys() - live.keys():
            del self._known[gone]
        for key, activity in live.items():
            if key in self._known and self._known[key][0] == activity:
                continue   # the crons of a version never change
            if self._boundary.may_try(_reading(key)):
                with self._boundary.contain(_reading(key)):
                    self._known[key] = (activity, await self._read_one(key))
        found = {cron: live for _, crons in self._known.values() for cron, live in crons.items()}
        self._boundary.keep_only(
            [*map(_reading, live), *(name(cron) for cron in found for name in (_schedule, _run, _left))],
        )
        return found

    async def _read_one(self, key: EnvironmentId) -> dict[CronKey, LiveCron]:
        release = await read_live(self._store, self._host.settings, key)
        if release is None:
            return {}
        config = await read_config(release, self._host)
        return {
            CronKey(key, app.name, cron.name): LiveCron(release, app, cron)
            for app in config.applications for cron in app.crons
        }

    async def _attach(self, group: asyncio.TaskGroup) -> None:
        """Go on with the runs that a daemon before us left behind."""
        for key, live in (await self._read()).items():
            with self._boundary.contain(_left(key)):
                await self._attach_one(key, live, group)

    async def _attach_one(self, key: CronKey, live: LiveCron, group: asyncio.TaskGroup) -> None:
        runs = await asyncio.to_thread(read_runs, live.scripts(self._host), live.cron.name)
        for script, due in runs:
            if has_started(script) and key not in self._running:
                self._running.add(key)
                group.create_task(self._carry(key, due, live), name=f"cron {key}")


def _reading(key: EnvironmentId) -> str:
    return f"reading the crons of {key}"


def _schedule(key: CronKey) -> str:
    return f"the schedule of {key}"


def _run(key: CronKey) -> str:
    return f"the run of {key}"


def _left(key: CronKey) -> str:
    return f"what was left of {key}"
