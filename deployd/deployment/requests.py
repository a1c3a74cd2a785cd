"""The one door through which an activity comes to be, whoever asks for it.

    share ─► the environment's row, for a kind that makes one ─► the activity's row ─► durable ─► the lanes are woken

Pushes, redeploys and rollbacks, lost pushes and housekeeping come through here, so what a new activity has to pass
stands in one place, and what is special about a kind in its row of `kinds.py`. One thing passes by it: what takes a bad
release back (`bad_release.py`), which nobody asks for and no share may stop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from deployd.activity.kinds import Kind
from deployd.clock import Clock
from deployd.deployment.kinds import KINDS
from deployd.deployment.share import Wanted, refuse_beyond_share, refuse_name_of_another
from deployd.deployment.stored import Stored, why_stored
from deployd.environment.naming import Source
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId
from deployd.release.tickets import Wish, asker_of, open_ticket
from deployd.settings import Settings
from deployd.state import activities, environments, tickets
from deployd.state.activities import NewActivity, Trigger
from deployd.state.locks import Lock
from deployd.state.store import Query, Store
from deployd.state.tickets import Ticket

T = TypeVar("T")

HELD_WHEN_LOCKED = tuple(kind.name for kind in KINDS.values() if kind.held_when_locked)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    kind: Kind[Any, Any]
    environment: EnvironmentId
    branch: str
    commit: CommitId | None
    """None: the branch's newest, or none is needed."""
    trigger: Trigger
    wish: Wish | None = None
    """Of the ticket, where one is needed; None: whoever triggered it wants it as soon as it may be."""
    ticket: Ticket | None = None
    """Whose next stage it is."""


class Requests:
    """Makes activities of requests, each in the transaction of whoever asks."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, wake: Callable[[], None]) -> None:
        """
        Args:
            wake: Called when there may be something new for the lanes.
        """
        self._store = store
        self._settings = settings
        self._clock = clock
        self._wake = wake

    async def write(self, change: Query[T]) -> T:
        """One transaction in which activities are asked for or let go on; when it is durable, the lanes are woken."""
        result = await self._store.write(change)
        self._wake()
        return result

    def ask_for(self, db: sqlite3.Connection, request: Request) -> ActivityId:
        """Have one more activity wait in the lane of an environment; inside `write`.

        Raises:
            ShareTaken: The project may have no more.
        """
        kind, now = request.kind, self._clock.now()
        if kind.has_share:
            self.refuse_beyond_share(db, request.environment.project, [Wanted(kind, request.branch)])
        if kind.makes_environment:
            environments.ensure(db, request.environment, request.branch, now)
        new = NewActivity(kind, request.environment, request.branch, request.commit, request.trigger)
        number = activities.enqueue(db, new, now)
        if kind.asks_gate:
            self._have_ticket(db, number, request)
        return number

    def _have_ticket(self, db: sqlite3.Connection, number: ActivityId, request: Request) -> None:
        """In the same transaction: nothing that goes to a protected environment is ever without one."""
        if request.ticket is not None:
            tickets.begin_next_stage(db, request.ticket, number)
            return
        project = self._settings.projects.get(request.environment.project)
        activity = activities.find(db, number)
        if project is not None and activity is not None and project.protection_of(request.branch) is not None:
            wish = request.wish or Wish(by=asker_of(request.trigger))
            open_ticket(db, project, activity, wish, self._clock.now())

    def why_stored(self, db: sqlite3.Connection, source: Source) -> Stored | None:
        """Why a push of a branch is stored and not deployed; None: it is deployed."""
        return why_stored(self._settings, db, source)

    def refuse_name_of_another(self, db: sqlite3.Connection, source: Source) -> None:
        """
        Raises:
            NameTaken: The environment of the branch is, or would be, that of another one.
        """
        refuse_name_of_another(db, self._settings.projects.get(source.project), source)

    def refuse_beyond_share(self, db: sqlite3.Connection, project: ProjectId, wanted: Collection[Wanted]) -> None:
        """
        Raises:
            ShareTaken: Together they are more than the project may have.
        """
        refuse_beyond_share(self._settings, db, project, wanted)


def lock_environment(db: sqlite3.Connection, lock: Lock, branch: str) -> None:
    """Lock an environment, and hold what waits there of the kinds that a lock holds before they begin."""
    activities.lock(db, lock, branch, HELD_WHEN_LOCKED)
