"""The gate before a protected environment, asked in one transaction: what is decided is what stands in the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from deployd.environment.naming import Source
from deployd.errors import DeployError
from deployd.ids import CommitId
from deployd.promotion.gate import Facts, Obstacle, Verdict, judge
from deployd.promotion.offer import Brief, Offer
from deployd.promotion.people import SOMEBODY, Person
from deployd.release.ports import Host
from deployd.settings import ProjectSettings, Protection
from deployd.state import locks, tickets
from deployd.state.activities import Activity, Trigger
from deployd.state.tickets import NewTicket, Stage, Ticket, TicketId

NOT_MERGED = frozenset({"not-merged", "not-live-at-source"})


class TicketEnded(DeployError):
    """A ticket was declined, withdrawn or has expired: nothing becomes live by it."""

    code: ClassVar[str] = "ticket-ended"


class NotMerged(DeployError):
    """A protected environment takes only what its source has."""

    code: ClassVar[str] = "not-merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is said of a ticket by whoever asks for it."""

    by: Person
    source: str = ""
    """Empty: the protection's own."""
    stages: tuple[str, ...] = ()
    """Branches, the target last; empty: the target alone."""
    comment: str = ""
    not_before: datetime | None = None
    emergency_why: str = ""
    """Not empty: it opens the gate at once, but for what is not merged."""


async def is_contained(host: Host, project: ProjectSettings, branch: str, commit: CommitId) -> bool:
    """Whether a commit is in what a protected environment takes: in a branch, or in what is live in another one."""
    source = project.source_of(branch)
    if project.protection_of(source) is None:
        return await host.code.contains(project.id, source, commit)
    live = await host.facts.live(Source(project.id, source).environment)
    return live is not None and await host.code.holds(project.id, commit, live.commit)


def asker_of(trigger: Trigger) -> Person:
    """Who asked for what became a ticket by itself; of pushes that the daemon finds it does not know whose they are."""
    return SOMEBODY if trigger.how == "daemon" else Person(trigger.who)


def open_ticket(
    db: sqlite3.Connection, project: ProjectSettings, activity: Activity, wish: Wish, now: datetime,
) -> TicketId:
    """The ticket of an activity that was made just now."""
    protection = project.protection_of(activity.branch)
    hours = protection.expires_hours if protection else Protection().expires_hours
    branches = wish.stages or (activity.branch,)
    return tickets.add(db, NewTicket(
        project=activity.project, source=wish.source or project.source_of(activity.branch),
        commit=activity.commit or CommitId(""), activity=activity.id, asked_by=wish.by, comment=wish.comment,
        stages=tuple(Stage(branch, Source(project.id, branch).environment.name) for branch in branches),
        expires_at=now + timedelta(hours=hours), not_before=wish.not_before,
        emergency_by=wish.by.name if wish.emergency_why else "", emergency_why=wish.emergency_why,
    ), now)


def ask_gate(
    db: sqlite3.Connection, project: ProjectSettings, activity: Activity, offer: Offer, *, is_contained: bool,
    now: datetime,
) -> Verdict:
    """What stands in the way of an activity; what is offered and what is found stands in its ticket then.

    Raises:
        TicketEnded: Somebody ended the ticket, or the environment is protected no more.
    """
    ticket = tickets.of_activity(db, activity.id)
    if ticket is None:   # it was asked for before the environment was protected
        ticket = tickets.find(db, open_ticket(db, project, activity, Wish(by=asker_of(activity.trigger)), now))
        assert ticket is not None
    if not ticket.is_open or ticket.activity != activity.id:
        raise TicketEnded(f"the ticket {ticket.id} is {ticket.state}", hint=_again(ticket))
    if project.protection_of(ticket.branch) is None:
        raise TicketEnded(
            f"{ticket.branch} is protected no more, and nobody decided about the ticket {ticket.id}",
            hint="push again, or ask for it again, when it is wanted still",
        )
    if ticket.emergency_by and ticket.commit not in ("", offer.offered.commit):   # the branch of a remote moved on
        tickets.end_emergency(db, ticket.id)
        ticket = replace(ticket, emergency_by="", emergency_why="")
    ticket = replace(ticket, digest=offer.offered.digest, commit=CommitId(offer.offered.commit))
    verdict = judge(facts_of(
        db, project, ticket, now, is_contained=is_contained, authors=offer.brief.authors,
    ))
    tickets.judged(db, ticket, json.dumps(asdict(offer.brief)), verdict.obstacles)
    return verdict


def facts_of(
    db: sqlite3.Connection, project: ProjectSettings, ticket: Ticket, now: datetime, *, is_contained: bool,
    authors: Sequence[str],
) -> Facts:
    """What the verdict about a ticket depends on. The moment that is wanted is that of its last stage."""
    lock = locks.find(db, ticket.environment)
    source = project.source_of(ticket.branch)
    return Facts(
        project=project.id, branch=ticket.branch, protection=project.protection_of(ticket.branch) or Protection(),
        source=source, source_is_live=project.protection_of(source) is not None, commit=ticket.commit,
        is_contained=is_contained, now=now, lock=lock.said(ticket.branch) if lock else "",
        lock_until=lock.until if lock else None, ticket=ticket.id, asked_by=ticket.asked_by, digest=ticket.digest,
        approvals=tuple(approval for approval, _ in tickets.approvals_of(db, ticket.id)), authors=authors,
        not_before=ticket.not_before if ticket.stage + 1 == len(ticket.stages) else None,
        expires=ticket.expires_at, emergency=bool(ticket.emergency_by),
    )


def standing(
    db: sqlite3.Connection, project: ProjectSettings, ticket: Ticket, now: datetime, *,
    is_contained: bool | None = None,
) -> tuple[Obstacle, ...]:
    """What stands in the way of a ticket now.

    Args:
        is_contained: Whether its commit is in what its source has; None: as it was when the gate was asked last.
    """
    known = not any(obstacle.code in NOT_MERGED for obstacle in ticket.obstacles)
    contained = known if is_contained is None else is_contained
    facts = facts_of(db, project, ticket, now, is_contained=contained, authors=brief_of(ticket).authors)
    return judge(facts).obstacles


def brief_of(ticket: Ticket) -> Brief:
    """What people read of what is offered; nothing of it before it is built."""
    if not ticket.brief:
        return Brief()
    values = json.loads(ticket.brief)
    return Brief(
        subject=values["subject"], author=values["author"], count=values["count"], back=values["back"],
        commits=tuple((item[0], item[1], item[2], item[3]) for item in values["commits"]),
        authors=tuple(values["authors"]), plan=tuple(values["plan"]), differs=tuple(values["differs"]),
        slugs=tuple((item[0], item[1], item[2]) for item in values["slugs"]),
    )


def _again(ticket: Ticket) -> str:
    return f"ask anew: deployd promote {ticket.project} {ticket.source} {ticket.branch}"


