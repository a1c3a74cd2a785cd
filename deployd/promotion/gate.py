"""The one gate before a protected environment, whichever way somebody comes to it. Pure: facts in, a verdict out.

    push, `deployd promote`, the console ─► ticket ─► built, packed ─► verdict ─► nothing in the way: deploy
                                                                         └──────► it waits, and says for what

Each thing that stands in the way has a code for programs, a sentence, and what to do. An emergency opens everything but
one: what is not merged never becomes live.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from deployd.promotion.people import SOMEBODY, Person
from deployd.promotion.windows import is_open, next_opening, words
from deployd.settings.protection import Protection

Code = Literal[
    "not-merged", "not-live-at-source", "ticket-ended", "expired", "locked", "window-closed", "scheduled",
    "approval-missing",
]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in the way."""

    code: Code
    what: str
    hint: str
    until: datetime | None = None
    """When it goes away by itself."""


@dataclass(frozen=True, slots=True)
class Verdict:
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def is_open(self) -> bool:
        return not self.obstacles

    @property
    def said(self) -> str:
        """In one line; empty when nothing stands in the way."""
        return "; ".join(obstacle.what for obstacle in self.obstacles)


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody looked at what would become live, and wants it."""

    by: Person
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the verdict depends on."""

    project: str
    branch: str
    protection: Protection
    source: str
    commit: str
    is_contained: bool
    """In what the source has."""
    source_is_live: bool
    """The source is protected itself: what counts is what is live there."""
    now: datetime
    lock: str = ""
    """Who keeps what is live, since when and why."""
    lock_until: datetime | None = None
    ticket: int | None = None
    """None: nobody has asked yet."""
    asked_by: Person | None = None
    digest: str = ""
    """What would become live; empty before it is built."""
    approvals: Sequence[Approval] = ()
    authors: Sequence[str] = ()
    """Of the commits since what is live."""
    not_before: datetime | None = None
    expires: datetime | None = None
    emergency: bool = False

    @property
    def wanted(self) -> int:
        """Approvals. One more when it is not known who asked: one of those who approve may be who did."""
        wanted = self.protection.approvals
        return wanted + 1 if wanted and self.asked_by == SOMEBODY else wanted


def judge(facts: Facts) -> Verdict:
    """What stands in the way, the hardest first."""
    obstacles = [*_merged(facts)]
    if not facts.emergency:
        obstacles += [*_expired(facts), *_locked(facts), *_window(facts), *_schedule(facts), *_approvals(facts)]
    return Verdict(tuple(obstacles))


def not_merged(facts: Facts) -> Obstacle:
    """Said in a push too, before anything is built."""
    short = facts.commit[:8]
    if facts.source_is_live:
        return Obstacle(
            "not-live-at-source",
            f"{facts.branch} takes only what is live on {facts.source}, and {short} is not contained in it",
            f"bring it to {facts.source} first: deployd promote {facts.project} {short} {facts.source}",
        )
    return Obstacle(
        "not-merged", f"{facts.branch} takes only what is merged to {facts.source}, and {short} is not",
        f"merge it to {facts.source}, push that, and come again",
    )


def counted(facts: Facts) -> tuple[Approval, ...]:
    """Approvals that count: of what would become live now, one for each person who may."""
    found: list[Approval] = []
    for approval in facts.approvals:
        if approval.digest != facts.digest or why_not(facts, approval.by):
            continue
        if not any(approval.by.is_same(other.by) for other in found):
            found.append(approval)
    return tuple(found)


def why_not(facts: Facts, person: Person) -> str:
    """Why somebody's approval does not count, whatever role they have; empty when it does."""
    if facts.asked_by is not None and person.is_same(facts.asked_by):
        return f"{person.name} asked for it, and who asks does not approve"
    if facts.protection.approvers_other_than_authors and person.is_one_of(facts.authors):
        return f"{person.name} wrote one of its commits, and authors do not approve here"
    return ""


def _merged(facts: Facts) -> Iterator[Obstacle]:
    if not facts.is_contained:
        yield not_merged(facts)


def _expired(facts: Facts) -> Iterator[Obstacle]:
    if facts.expires is not None and facts.now >= facts.expires:
        yield Obstacle(
            "expired", f"the ticket expired at {_moment(facts.expires)}",
            f"ask anew: deployd promote {facts.project} {facts.source} {facts.branch}",
        )


def _locked(facts: Facts) -> Iterator[Obstacle]:
    if facts.lock:
        yield Obstacle("locked", facts.lock, f"deployd unlock {facts.project} {facts.branch}", facts.lock_until)


def _window(facts: Facts) -> Iterator[Obstacle]:
    if is_open(facts.protection, facts.now):
        return
    opens = next_opening(facts.protection, facts.now)
    assert opens is not None
    yield Obstacle(
        "window-closed", f"{facts.branch} is deployed {words(facts.protection)}, and opens {_moment(opens)}",
        "wait: it goes live by itself then; an admin can open it for an emergency", opens,
    )


def _schedule(facts: Facts) -> Iterator[Obstacle]:
    if facts.not_before is not None and facts.now < facts.not_before:
        yield Obstacle(
            "scheduled", f"it is wanted at {_moment(facts.not_before)}, not before",
            f"deployd ticket schedule {_number(facts)} now", facts.not_before,
        )


def _approvals(facts: Facts) -> Iterator[Obstacle]:
    wanted, there = facts.wanted, len(counted(facts))
    if there >= wanted:
        return
    others = " who wrote none of its commits" if facts.protection.approvers_other_than_authors else ""
    have = f"{there} of {wanted} approvals" if there else f"{wanted} approval{'s' if wanted > 1 else ''}"
    asked = "" if facts.ticket is None or facts.digest else "; it is built first"
    if wanted > facts.protection.approvals:
        asked = f", one more than else because nobody knows who pushed it{asked}"
    how = (
        f"ask for it, `deployd promote {facts.project} {facts.source} {facts.branch}`, and let an approver approve the"
        " ticket" if facts.ticket is None else f"an approver other than who asked{others}: deployd ticket approve"
        f" {facts.ticket}"
    )
    missing = f"{facts.branch} needs {have}" if not there else f"{facts.branch} has {have}"
    yield Obstacle("approval-missing", missing + asked, how)


def _number(facts: Facts) -> str:
    return str(facts.ticket) if facts.ticket is not None else "TICKET"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
