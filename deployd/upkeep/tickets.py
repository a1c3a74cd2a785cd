"""Tickets that wait: what stands in their way goes by itself, or their time is over; and the next stage of those that
lead through several environments begins.

    a window opens, a moment comes, a lock goes, a commit is merged ─► its activity goes on to the gate, which decides
    its time is over, or its environment is protected no more ───────► it ends, and its activity with it
    a stage went well ────────────────────────────────────────────────► the activity of the next one

Nothing becomes live by what is found here: whoever is let go on asks the gate itself.
"""

from __future__ import annotations

import asyncio
import sqlite3

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.lanes import Lanes, TooLate
from deployd.clock import Clock
from deployd.deployment.kinds import PROMOTE
from deployd.deployment.requests import Request, Requests
from deployd.environment.naming import Source
from deployd.ids import ActivityId
from deployd.release.ports import Host
from deployd.release.tickets import NOT_MERGED, TicketEnded, is_contained, standing
from deployd.settings import ProjectSettings
from deployd.state import activities, tickets
from deployd.state.activities import Trigger
from deployd.state.store import Store
from deployd.state.tickets import Ticket, TicketState

log = structlog.get_logger()

LOOK_SECONDS = 2.0
BUILT_ONLY = ("building", "waiting")


class Tickets:
    """Looks after open tickets."""

    def __init__(
        self, store: Store, host: Host, clock: Clock, lanes: Lanes, requests: Requests, *,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._lanes = lanes
        self._requests = requests
        self._boundary = boundary or ErrorBoundary("tickets")

    async def serve(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look at each open ticket; one that fails keeps no other waiting."""
        with self._boundary.contain("looking for open tickets"):
            for ticket in await self._store.read(tickets.open_ones):
                with self._boundary.contain(f"the ticket {ticket.id}"):
                    await self._look_at(ticket)

    async def _look_at(self, ticket: Ticket) -> None:
        project = self._host.settings.projects.get(ticket.project)
        if project is None:   # what is not in the settings is left alone
            return
        if ticket.state == "next":
            await self._begin_next(project, ticket)
        elif ticket.state in BUILT_ONLY and project.protection_of(ticket.branch) is None:
            why = f"{ticket.branch} is protected no more, and nobody had decided"
            await self._end(ticket, "void", f"{why}; ask for it again when it is wanted still")
        elif ticket.state in BUILT_ONLY and self._clock.now() >= ticket.expires_at and not ticket.emergency_by:
            await self._end(ticket, "expired", f"nothing came of it until {ticket.expires_at:%Y-%m-%d %H:%M} UTC")
        elif ticket.state == "waiting":
            await self._look_again(project, ticket)

    async def _look_again(self, project: ProjectSettings, ticket: Ticket) -> None:
        was_merged = not any(obstacle.code in NOT_MERGED for obstacle in ticket.obstacles)
        contained = was_merged or await is_contained(self._host, project, ticket.branch, ticket.commit)

        def look(db: sqlite3.Connection) -> bool:
            found = tickets.find(db, ticket.id)
            if found is None or found.state != "waiting":
                return False
            obstacles = standing(db, project, found, self._clock.now(), is_contained=contained)
            if tickets.put_obstacles(db, found.id, obstacles) and obstacles:
                activities.say_why_held(db, found.activity, "; ".join(item.what for item in obstacles))
            return not obstacles and activities.let_go_on(db, found.activity)

        if await self._store.read(lambda db: self._is_the_same(db, project, ticket, contained=contained)):
            return   # as nearly always: nothing is written
        if await self._requests.write(look):
            log.info("ticket_goes_on", ticket=ticket.id, activity=ticket.activity)

    def _is_the_same(
        self, db: sqlite3.Connection, project: ProjectSettings, ticket: Ticket, *, contained: bool,
    ) -> bool:
        obstacles = standing(db, project, ticket, self._clock.now(), is_contained=contained)
        return bool(obstacles) and obstacles == ticket.obstacles

    async def _end(self, ticket: Ticket, state: TicketState, why: str) -> None:
        def end(db: sqlite3.Connection) -> None:
            found = tickets.find(db, ticket.id)
            if found is None or (found.state, found.emergency_by) not in ((kind, "") for kind in BUILT_ONLY):
                raise TicketEnded(f"somebody decided about the ticket {ticket.id} meanwhile")
            tickets.end(db, ticket.id, state, "", why, self._clock.now())

        try:
            await self._lanes.cancel(ticket.activity, "deployd", why=f"the ticket {ticket.id} is {state}: {why}",
                                     also=end)
        except (TooLate, TicketEnded):
            return   # it passed its gate meanwhile
        log.info("ticket_ended", ticket=ticket.id, state=state)

    async def _begin_next(self, project: ProjectSettings, ticket: Ticket) -> None:
        stage = ticket.stages[ticket.stage + 1]
        if project.protection_of(stage.branch) is None:
            why = f"{stage.branch}, its next stage, is protected no more"
            await self._store.write(
                lambda db: tickets.end(db, ticket.id, "void", "", why, self._clock.now()),
            )
            return
        request = Request(
            PROMOTE, Source(project.id, stage.branch).environment, stage.branch, ticket.commit,
            Trigger(ticket.asked_by.name, "api"), ticket=ticket,
        )

        def begin(db: sqlite3.Connection) -> ActivityId | None:
            found = tickets.find(db, ticket.id)
            if found is None or (found.state, found.stage) != ("next", ticket.stage):
                return None   # it was taken back meanwhile
            return self._requests.ask_for(db, request)

        number = await self._requests.write(begin)
        log.info("ticket_next_stage", ticket=ticket.id, branch=stage.branch, activity=number)
