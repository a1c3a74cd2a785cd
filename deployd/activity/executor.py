"""Runs an activity of whatever kind from its row to its end: with its log, its table, and what is told then."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import structlog

from deployd.activity.cancellation import Cancellation
from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.journal import Journal
from deployd.activity.journal_store import StateJournal
from deployd.activity.kinds import Kind, Kinds, Progress, Telling, table_of
from deployd.activity.limits import Limits
from deployd.activity.log import Logs, Tell
from deployd.activity.machine import Finish, has_touched_visitors
from deployd.activity.runner import Run, run
from deployd.activity.table import Table, TableUnknown
from deployd.clock import Clock
from deployd.settings import Settings
from deployd.state import activities, entries, environments, locks, tickets
from deployd.state.activities import Activity
from deployd.state.entries import HELD, Entry
from deployd.state.store import Store

log = structlog.get_logger()


class Host(Protocol):
    """What the executor needs of what steps reach; the rest is their own business."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True)
class Executor:
    """Runs activities; handed to the lanes."""

    kinds: Kinds
    store: Store
    host: Host
    logs: Logs
    limits: Limits
    boundary: ErrorBoundary = field(default_factory=lambda: ErrorBoundary("way back"))
    """For what an activity must not fail of."""

    async def __call__(self, activity: Activity, cancellation: Cancellation) -> None:
        """Run an activity to its end.

        Raises:
            TableUnknown: A newer deployd began it.
        """
        table = table_of(self.kinds, activity)
        if table is None:
            raise TableUnknown(
                f"activity {activity.id} ({activity.kind}) was begun by a newer deployd and is left alone",
                hint="start the newer deployd again",
            )
        if not await self.store.write(lambda db: self._begin(db, activity)):
            return
        tell = self.logs.open(activity.id)
        try:
            with structlog.contextvars.bound_contextvars(
                project=activity.project, environment=activity.environment.name, activity=activity.id,
            ):
                await self._run(activity, table, cancellation, tell)
        finally:
            tell.close()

    def may_be_overtaken(self, activity: Activity, journal: Journal) -> bool:
        """Whether one that runs gives way to a newer one: when that is wanted, and never from the freeze on."""
        settings, table = self.host.settings, table_of(self.kinds, activity)
        if table is None or not self.kinds[activity.kind].supersedes:
            return False
        project = settings.projects.get(activity.project)
        wanted = (project.overtaken_builds if project else None) or settings.overtaken_builds
        return wanted == "cancel" and not has_touched_visitors(table, journal)

    def _begin(self, db: sqlite3.Connection, activity: Activity) -> bool:
        """The row of the environment is made here once more: a delete that ran since the push took it away."""
        now = self.host.clock.now()
        begun = activities.begin(db, activity.id, now)
        kind = self.kinds[activity.kind]
        if begun and not (kind.ends_environment or kind.needs_environment):
            environments.ensure(db, activity.environment, activity.branch, now)
        return begun

    async def _run(self, activity: Activity, table: Table[Any, Any], cancellation: Cancellation, tell: Tell) -> None:
        began = activity.started_at or self.host.clock.now()   # maybe before the daemon did
        log.info("activity_started", kind=activity.kind, branch=activity.branch, commit=activity.commit)
        kind, journal = self.kinds[activity.kind], StateJournal(self.store, activity.id, self.host.clock)
        if activity.project in self.host.settings.projects:
            end = await run(Run(
                activity, table, self.host, partial(kind.view, self.host), journal, cancellation, tell, self.limits,
                self.host.clock, partial(self._while_stuck, kind, activity, table, tell),
            ))
        else:
            end = Finish("failed", f"the project {activity.project} is not in the settings any more")
        if end.state == "pending":
            await self._hold(activity, end.reason, tell)
            return
        seconds = (self.host.clock.now() - began).total_seconds()
        progress = Progress(activity, table, await journal.read())
        if end.state != "success":   # before its row ends: a daemon that dies meanwhile comes here again
            await self._tell_failure(kind, progress, tell)
        end = await self.store.write(lambda db: self._finish(db, kind, progress, end))
        log.info("activity_ended", state=end.state, reason=end.reason, seconds=round(seconds, 2))
        tell.end(end.state, _said(activity, end, seconds))

    def _finish(self, db: sqlite3.Connection, kind: Kind[Any, Any], progress: Progress, end: Finish) -> Finish:
        """Returns its end, with what its kind has to say of it."""
        now = self.host.clock.now()
        if not activities.finish(db, progress.activity.id, end.state, end.reason, now):
            return end
        more = kind.afterwards(db, progress, now)
        if not more:
            return end
        activities.say_more(db, progress.activity.id, more)
        return Finish(end.state, end.reason + more)

    async def _hold(self, activity: Activity, reason: str, tell: Tell) -> None:
        """Let it wait for the unlock; when that has come since the lock was seen, it begins anew at once."""
        hint = await self.store.write(lambda db: self._held(db, activity, reason))
        log.info("activity_held" if hint else "activity_not_held", reason=reason)
        if hint:
            tell.held(f"{activity.kind} of {activity.branch} is built and waits: {reason}", hint=hint)

    def _held(self, db: sqlite3.Connection, activity: Activity, reason: str) -> str:
        """What somebody can do about it; empty when it is not held any more."""
        cancellation = Journal(entries.of_activity(db, activity.id)).cancellation()
        if cancellation is not None and cancellation.result != HELD:   # came since the last look: its lane ends it
            return ""
        now, kind = self.host.clock.now(), self.kinds[activity.kind]
        entries.append(db, activity.id, Entry("", HELD, now, None, reason))
        activities.hold(db, activity.id, reason)
        hint = _why_it_waits(db, activity)
        if not hint:
            activities.let_go_on(db, activity.id)
        newer = activities.newer_of_kind(db, activity, kind.takes_place_of) if kind.supersedes else None
        if newer is not None:
            activities.finish(db, activity.id, "superseded", activities.superseded_by(activity.kind, newer), now)
        return hint if newer is None else ""

    async def _tell_failure(self, kind: Kind[Any, Any], progress: Progress, tell: Tell) -> None:
        await kind.reports.on_failure(progress, self.host, tell)
        await self._tell_contained(kind.reports.after_way_back, progress, tell)

    async def _while_stuck(
        self, kind: Kind[Any, Any], activity: Activity, table: Table[Any, Any], tell: Tell, journal: Journal,
    ) -> None:
        await self._tell_contained(kind.reports.while_stuck, Progress(activity, table, journal), tell)

    async def _tell_contained(self, telling: Telling, progress: Progress, tell: Tell) -> None:
        """The activity ends, or its undo is tried again, whatever comes of it."""
        with self.boundary.contain(f"asking {progress.activity.environment} after a way back", shown=False):
            await telling(progress, self.host, tell)


def _why_it_waits(db: sqlite3.Connection, activity: Activity) -> str:
    """What lets it go on; empty when that came while it was undone."""
    ticket = tickets.of_activity(db, activity.id)
    if ticket is not None and ticket.is_open:
        return "" if tickets.has_news(db, activity.id) else f"deployd ticket show {ticket.id}"
    locked = locks.find(db, activity.environment) is not None
    return f"deployd unlock {activity.project} {activity.branch}" if locked else ""


def _said(activity: Activity, end: Finish, seconds: float) -> str:
    """The last line of a log."""
    what = f"{activity.kind} of {activity.branch}"
    return f"{what} done in {seconds:.1f} s" if end.state == "success" else f"{what} {end.state}: {end.reason}"
