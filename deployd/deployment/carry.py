"""Carrying an activity: from its row to its end, with its log, its table and its project."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from deployd.activity.holding import Limits
from deployd.activity.journal import UNDONE, Journal, check_succession
from deployd.activity.log import Logs, Tell
from deployd.activity.machine import Finish, has_touched_visitors, past_the_way_back
from deployd.activity.net import Net
from deployd.activity.runner import Run, run, visitors_after
from deployd.activity.table import Table, TableUnknown
from deployd.activity.wish import Wish
from deployd.clock import Clock
from deployd.deployment.admission import memory_needed
from deployd.deployment.steps import KINDS, QUIET_PHASES, table_of
from deployd.deployment.view import Deployment
from deployd.ids import ActivityId
from deployd.release.answers.reports import tell_way_back
from deployd.release.ports import Host
from deployd.settings import ProjectSettings
from deployd.state import activities, entries, environments, locks
from deployd.state.activities import Activity
from deployd.state.entries import HELD, Entry
from deployd.state.store import Store

log = structlog.get_logger()


class StateJournal:
    """The journal of one activity in state.db."""

    def __init__(self, store: Store, activity: ActivityId, clock: Clock) -> None:
        self._store = store
        self._activity = activity
        self._clock = clock

    async def read(self) -> Journal:
        return Journal(await self._store.read(lambda db: entries.of_activity(db, self._activity)))

    async def write(self, step: str, event: str, *, result: str | None = None, said: str = "") -> None:
        entry = Entry(step, event, self._clock.now(), result, said)
        await self._store.write(lambda db: self._append(db, entry))

    def _append(self, db: sqlite3.Connection, entry: Entry) -> None:
        check_succession(entries.of_activity(db, self._activity), entry.step, entry.event)
        entries.append(db, self._activity, entry)


@dataclass(frozen=True)
class Carrier:
    """Runs activities; handed to the lanes."""

    store: Store
    host: Host
    logs: Logs
    limits: Limits
    clock: Clock
    memory_mb: int
    """All that builds and deployments may count on."""
    net: Net = field(default_factory=lambda: Net("way back"))
    """For what an activity must not fail of."""

    async def __call__(self, activity: Activity, wish: Wish) -> None:
        """Carry an activity to its end.

        Raises:
            TableUnknown: A newer deployd began it.
        """
        table = table_of(activity.kind, activity.table_version)
        if table is None:
            raise TableUnknown(
                f"activity {activity.id} ({activity.kind}) was begun by a newer deployd and is left alone",
                mend="start the newer deployd again",
            )
        if not await self.store.write(lambda db: self._begin(db, activity)):
            return
        tell = self.logs.open(activity.id)
        try:
            with structlog.contextvars.bound_contextvars(
                project=activity.project, environment=activity.environment.name, activity=activity.id,
            ):
                await self._carry(activity, table, wish, tell)
        finally:
            tell.close()

    def may_be_overtaken(self, activity: Activity, journal: Journal) -> bool:
        """Whether a push that runs gives way to a newer one: when that is wanted, and never from the freeze on."""
        project = self.host.settings.projects.get(activity.project)
        wanted = (project.overtaken_builds if project else None) or self.host.settings.overtaken_builds
        table = table_of(activity.kind, activity.table_version)
        return wanted == "cancel" and table is not None and not has_touched_visitors(table, journal)

    def _begin(self, db: sqlite3.Connection, activity: Activity) -> bool:
        """The row of the environment is made here once more: a delete that ran since the push took it away."""
        now = self.clock.now()
        begun = activities.begin(db, activity.id, now)
        if begun and not KINDS[activity.kind].ends_environment:
            environments.ensure(db, activity.environment, activity.branch, now)
        return begun

    async def _carry(self, activity: Activity, table: Table[Deployment, Host], wish: Wish, tell: Tell) -> None:
        began = activity.started_at or self.clock.now()   # maybe before the daemon did
        log.info("activity_started", kind=activity.kind, branch=activity.branch, commit=activity.commit)
        journal = StateJournal(self.store, activity.id, self.clock)
        project = self.host.settings.projects.get(activity.project)
        if project is None:
            end = Finish("failed", f"the project {activity.project} is not in the settings any more")
        else:
            end = await run(Run(
                activity, table, self.host, self._view_of(project), journal, wish, tell, self.limits, self.clock,
                partial(memory_needed, self.host.settings, self.memory_mb),
                partial(self._ask_live, activity, table, tell, news_only=True),
            ))
        seconds = (self.clock.now() - began).total_seconds()
        if end.state == "pending":
            await self._hold(activity, end.reason, tell)
            return
        if end.state == "success":
            said = f"{activity.kind} of {activity.branch} done in {seconds:.1f} s"
        else:
            said = f"{activity.kind} of {activity.branch} {end.state}: {end.reason}"
            # Before its row ends: a daemon that dies meanwhile comes here again.
            if not KINDS[activity.kind].ends_environment:
                ended = await journal.read()
                await self._tell_visitors(activity, table, ended, tell)
                await self._ask_live(activity, table, tell, ended)
        await self.store.write(
            lambda db: activities.finish(db, activity.id, end.state, end.reason, self.clock.now()),
        )
        log.info("activity_ended", state=end.state, reason=end.reason, seconds=round(seconds, 2))
        tell.end(end.state, said)

    async def _hold(self, activity: Activity, reason: str, tell: Tell) -> None:
        """Let it wait for the unlock; when that has come since the lock was seen, it begins anew at once."""
        waits = await self.store.write(lambda db: self._held(db, activity, reason))
        log.info("activity_held" if waits else "activity_not_held", reason=reason)
        if waits:
            tell.held(f"{activity.kind} of {activity.branch} is built and waits: {reason}",
                      mend=f"deployd unlock {activity.project} {activity.branch}")

    def _held(self, db: sqlite3.Connection, activity: Activity, reason: str) -> bool:
        wish = Journal(entries.of_activity(db, activity.id)).wish()
        if wish is not None and wish.result != HELD:   # came since the last look: its lane carries it to that end
            return False
        entries.append(db, activity.id, Entry("", HELD, self.clock.now(), None, reason))
        activities.hold(db, activity.id, reason)
        waits = locks.find(db, activity.environment) is not None
        if not waits:
            activities.release(db, activity.environment)
        newer = activities.newer_push(db, activity)
        if newer is not None:
            activities.finish(db, activity.id, "superseded", f"a newer push came: activity {newer}", self.clock.now())
        return waits and newer is None

    async def _tell_visitors(
        self, activity: Activity, table: Table[Deployment, Host], journal: Journal, tell: Tell,
    ) -> None:
        """What visitors see after a failure; who thawed has said it already, with how many had waited."""
        if await self.host.facts.live(activity.environment) is None:
            tell.line("visitors: nothing is live here yet")
        elif (thaw := journal.last("freeze")) is None or thaw.event != UNDONE:
            tell.line(visitors_after(table, journal))

    async def _ask_live(
        self, activity: Activity, table: Table[Deployment, Host], tell: Tell, journal: Journal, *,
        news_only: bool = False,
    ) -> None:
        """After a way back, and where it is stuck: what visitors of the version that goes on get."""
        project = self.host.settings.projects.get(activity.project)
        touched = any(journal.last(step.name) for step in table.steps if step.phase not in QUIET_PHASES)
        if project is None or not touched or past_the_way_back(table, journal):
            return
        # The activity ends, or its undo is tried again, whatever comes of it.
        with self.net.contain(f"asking {activity.environment} after a way back", shown=False):
            await tell_way_back(self._view_of(project)(activity, journal).place, self.host, tell, news_only=news_only)

    def _view_of(self, project: ProjectSettings) -> Callable[[Activity, Journal], Deployment]:
        def view(activity: Activity, journal: Journal) -> Deployment:
            return Deployment(activity, project, self.host.settings.instance, journal)
        return view
