"""Tickets: ask for a promotion, approve or decline it, take it back, say when, and open the gate for an emergency."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import structlog

from deployd.access.actions import LEAST, Action
from deployd.access.caller import Caller
from deployd.access.directory import Directory
from deployd.access.errors import Forbidden, NotFound
from deployd.activity.lanes import Lanes
from deployd.deployment import kinds
from deployd.deployment.requests import Request, Requests
from deployd.environment.naming import Source
from deployd.errors import DeployError, Unusable
from deployd.promotion.gate import not_merged, why_not
from deployd.promotion.people import Person
from deployd.queries.projects import find_project
from deployd.queries.ticket_shapes import TicketShape
from deployd.queries.tickets import NothingToPromote, TicketQueries, Way
from deployd.release.ports import Host
from deployd.release.tickets import NotMerged, TicketEnded, Wish, brief_of, facts_of, standing
from deployd.settings import ProjectSettings
from deployd.state import activities, environments, people, tickets
from deployd.state.activities import Trigger
from deployd.state.store import Store
from deployd.state.tickets import Ticket, TicketId, TicketState

log = structlog.get_logger()

LONGEST_WORDS = 500


class OfferChanged(DeployError):
    """What would become live is not what somebody looked at when they approved."""

    code: ClassVar[str] = "offer-changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a promotion is asked for."""

    by: Person
    comment: str = ""
    not_before: datetime | None = None
    emergency_why: str = ""
    seen: str = ""
    """The commit that was looked at; empty: whatever the source has. An old page promotes nothing newer."""


class TicketCommands:
    def __init__(
        self, store: Store, host: Host, lanes: Lanes, requests: Requests, queries: TicketQueries,
        directory: Directory,
    ) -> None:
        self._store = store
        self._settings = host.settings
        self._code = host.code
        self._clock = host.clock
        self._lanes = lanes
        self._requests = requests
        self._queries = queries
        self._directory = directory

    def person(self, caller: Caller) -> Person:
        """Who asks, with all that they are called in commits."""
        known = next((one for one in self._directory.people.persons if one.id == caller.person), None)
        return Person(caller.name, caller.person, (known.name, known.email) if known and caller.person else ())

    async def promote(self, project: str, environment: str, written: str, asking: Asking) -> TicketShape:
        """Ask that a commit becomes live in a protected environment; it is built at once, and waits for its gate.

        Args:
            environment: Its branch, its machine name, `production` or `staging`.
            written: A branch, or a commit; empty: what the environment takes commits from.

        Raises:
            NotProtected: It takes any push.
            NothingToPromote: There is nothing that could be promoted, or it is live already.
            NotMerged: The source does not have the commit.
            OfferChanged: It has another one than whoever asks has seen.
        """
        # Of a remote: else what was merged a moment ago is not known.
        await self._code.fetch(find_project(self._settings, project))
        way = await self._queries.find_way(project, environment, written)
        if asking.seen and asking.seen != way.commit:
            raise OfferChanged(f"{way.source} has moved on from {asking.seen[:8]} to {way.commit[:8]} meanwhile",
                               hint="look at what is new, and ask again; nothing was done")
        first = way.stages[0]
        await self._refuse_unless_merged(way, first)
        await self._refuse_live(way)
        wish = Wish(
            by=asking.by, source=way.source, stages=way.stages, comment=one_line(asking.comment),
            not_before=asking.not_before, emergency_why=one_line(asking.emergency_why),
        )
        place = Source(way.project.id, first).environment
        request = Request(kinds.PROMOTE, place, first, way.commit, Trigger(asking.by.name, "api"), wish)

        def ask(db: sqlite3.Connection) -> TicketId:
            there = environments.find(db, place)
            if there is not None and there.branch != first:
                raise NothingToPromote(f"{first} is not deployed: {there.branch} has an environment of that name",
                                       hint="delete that environment first")
            made = tickets.of_activity(db, self._requests.ask_for(db, request))
            assert made is not None
            return made.id

        number = await self._requests.write(ask)
        log.info("promotion_asked", project=project, branch=way.stages[-1], commit=way.commit, ticket=number,
                 who=asking.by.name, emergency=bool(wish.emergency_why))
        return await self._read(number)

    async def approve(self, number: int, digest: str, by: Person, comment: str) -> TicketShape:
        """Say that what a ticket offers may become live; with the last approval that it needs, it goes.

        Args:
            digest: Of what was looked at.

        Raises:
            NotFound: There is no such ticket.
            TicketEnded: It has ended, or is under way already.
            OfferChanged: It offers something else by now, or nothing yet.
            Forbidden: It is their own, they wrote one of its commits, or approve no more.
        """
        def approve(db: sqlite3.Connection) -> None:
            found, project = self._waiting(db, number)
            if digest != found.digest or not digest:
                raise OfferChanged(
                    f"what the ticket {number} offers now is not what you looked at" if digest and found.digest
                    else f"the ticket {number} is built still, and offers nothing yet",
                    hint=f"look at it once more: deployd ticket show {number}; nothing was approved",
                )
            brief = brief_of(found)
            facts = facts_of(db, project, found, self._clock.now(), is_contained=True, authors=brief.authors)
            if why := why_not(facts, by):
                raise Forbidden(why, hint="let another approver look at it")
            _refuse_unless_approver(db, project, by)
            tickets.approve(db, found.id, digest, by, one_line(comment), self._clock.now())
            self._look_again(db, project, found.id)

        await self._requests.write(approve)
        log.info("ticket_approved", ticket=number, who=by.name)
        return await self._read(TicketId(number))

    async def decline(self, number: int, by: Person, why: str) -> TicketShape:
        """End a ticket because it must not become live.

        Raises:
            Unusable: It has no reason.
            TooLate: It is past its switch.
        """
        if not one_line(why):
            raise Unusable("a ticket is declined with a reason", hint="say why: who asked reads it")
        return await self._end(number, by, "declined", one_line(why), f"declined by {by.name}: {one_line(why)}")

    async def withdraw(self, number: int, by: Person, why: str) -> TicketShape:
        """End one's own ticket.

        Raises:
            Forbidden: Somebody else asked for it.
        """
        found = await self._store.read(lambda db: self._open(db, number)[0])
        if not by.is_same(found.asked_by):
            raise Forbidden(f"{found.asked_by.name} asked for the ticket {number}, and takes it back",
                            hint="an approver declines it, with a reason: deployd ticket decline")
        return await self._end(number, by, "withdrawn", one_line(why), f"withdrawn by {by.name}")

    async def schedule(self, number: int, at: datetime | None, by: Person, *, is_approver: bool) -> TicketShape:
        """Say when a ticket may become live at the earliest; None: as soon as nothing else stands in the way.

        Raises:
            Forbidden: It was approved for another moment, and only an approver changes that.
        """
        def schedule(db: sqlite3.Connection) -> None:
            found, project = self._open(db, number)
            approved = any(item.digest == found.digest for item, _ in tickets.approvals_of(db, found.id))
            if approved and not is_approver:
                raise Forbidden("it is approved for the moment that was wanted then", hint="let an approver move it")
            tickets.schedule(db, found.id, at)
            self._look_again(db, project, found.id)

        await self._requests.write(schedule)
        log.info("ticket_scheduled", ticket=number, at=at, who=by.name)
        return await self._read(TicketId(number))

    async def open_for_emergency(self, number: int, by: Person, why: str) -> TicketShape:
        """Let it become live without approvals, outside of its windows and over a lock; never what is not merged.

        Raises:
            Unusable: It has no reason.
        """
        if not one_line(why):
            raise Unusable("an emergency has a reason", hint="say why: it stands in the audit log")

        def open_it(db: sqlite3.Connection) -> None:
            found, project = self._open(db, number)
            tickets.open_for_emergency(db, found.id, by.name, one_line(why))
            self._look_again(db, project, found.id)

        await self._requests.write(open_it)
        log.warning("gate_opened_for_emergency", ticket=number, who=by.name, why=one_line(why))
        return await self._read(TicketId(number))

    async def _refuse_unless_merged(self, way: Way, branch: str) -> None:
        if await self._queries.is_contained(way, branch):
            return
        facts = await self._queries.facts(way, branch, contained=False)
        obstacle = not_merged(facts)
        raise NotMerged(obstacle.what, hint=obstacle.hint)

    async def _refuse_live(self, way: Way) -> None:
        live = await self._queries.live_commit(way.project.id, way.stages[-1])
        if live == way.commit:
            branch = way.stages[-1]
            raise NothingToPromote(
                f"{way.commit[:8]} of {way.source} is live on {branch} already",
                hint=f"merge something newer, or deploy it once more: deployd redeploy {way.project.id} {branch}",
            )

    async def _end(self, number: int, by: Person, state: TicketState, why: str, said: str) -> TicketShape:
        found = await self._store.read(lambda db: self._open(db, number)[0])
        await self._lanes.cancel(found.activity, by.name, why=said, also=self._ending(found, state, by, why))
        log.info("ticket_ended", ticket=number, state=state, who=by.name)
        return await self._read(found.id)

    def _ending(self, seen: Ticket, state: TicketState, by: Person, why: str) -> Callable[[sqlite3.Connection], None]:
        def end(db: sqlite3.Connection) -> None:
            found, _ = self._open(db, seen.id)
            if found.activity != seen.activity:
                raise TicketEnded(f"the ticket {seen.id} goes on to {found.branch} just now", hint="ask once more")
            tickets.end(db, seen.id, state, by.name, why, self._clock.now())

        return end

    def _open(self, db: sqlite3.Connection, number: int) -> tuple[Ticket, ProjectSettings]:
        found = tickets.find(db, TicketId(number))
        project = self._settings.projects.get(found.project) if found else None
        if found is None or project is None:
            raise NotFound(f"there is no ticket {number}")
        if not found.is_open:
            by = f" by {found.ended_by}" if found.ended_by else ""
            raise TicketEnded(f"the ticket {number} is {found.state}{by} since {found.ended_at:%Y-%m-%d %H:%M} UTC",
                              hint=f"ask anew: deployd promote {found.project} {found.source} {found.branch}")
        return found, project

    def _waiting(self, db: sqlite3.Connection, number: int) -> tuple[Ticket, ProjectSettings]:
        found, project = self._open(db, number)
        if found.state in ("passed", "next"):
            raise TicketEnded(f"the ticket {number} has passed its gate, and goes live",
                              hint=f"deployd log -f {found.activity}")
        return found, project

    def _look_again(self, db: sqlite3.Connection, project: ProjectSettings, number: TicketId) -> None:
        """What stands in its way now; when nothing does, it goes on to its gate at once."""
        found = tickets.find(db, number)
        assert found is not None
        obstacles = standing(db, project, found, self._clock.now())
        if found.state != "waiting":
            return   # it is built, and comes to its gate by itself
        tickets.put_obstacles(db, number, obstacles)
        if obstacles:
            activities.say_why_held(db, found.activity, "; ".join(item.what for item in obstacles))
        else:
            activities.let_go_on(db, found.activity)

    async def _read(self, number: TicketId) -> TicketShape:
        found = await self._queries.find(number)
        assert found is not None
        return found


def _refuse_unless_approver(db: sqlite3.Connection, project: ProjectSettings, by: Person) -> None:
    """Once more, in the transaction that counts: they were let in before, and may have lost the role or left since."""
    found = people.find(db, by.id) if by.id else None
    if found is not None and not found.may(LEAST[Action.APPROVE], project.id):
        raise Forbidden(f"{by.name} approves nothing of {project.id} any more", hint="let an approver look at it")


def one_line(text: str) -> str:
    """What somebody wrote, as every terminal may show it."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:LONGEST_WORDS]
