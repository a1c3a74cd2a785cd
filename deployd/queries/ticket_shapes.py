"""What is told of tickets, as records whose names are stable, and what the audit log keeps of deeds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployd.promotion.gate import Obstacle
from deployd.queries.comparisons import CommitShape
from deployd.queries.times import iso
from deployd.release.tickets import brief_of
from deployd.state.tickets import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstacleShape:
    """One thing that stands in the way."""

    code: str
    """`not-merged`, `not-live-at-source`, `expired`, `locked`, `window-closed`, `scheduled` or `approval-missing`."""
    what: str
    hint: str
    until: str
    """When it goes away by itself, ISO 8601; empty when it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalShape:
    who: str
    at: str
    comment: str
    counts: bool
    """It is for what is offered now, by somebody whose approval counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageShape:
    branch: str
    activity: int | None
    """None: its turn has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlugShape:
    application: str
    slug: str
    where: str
    """Where it is from: what was tested is what goes live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketShape:
    """What somebody wants to become live in a protected environment."""

    id: int
    project: str
    environment: str
    """Machine name of the environment of the stage that is under way."""
    branch: str
    source: str
    commit: str
    subject: str
    state: str
    """`building`, `waiting` (for what `obstacles` say), `passed` (it goes live), `next` (another stage begins), `done`,
    `failed`, `declined`, `withdrawn`, `expired`, `superseded` or `void`."""
    is_open: bool
    activity: int
    """Of the stage that is under way."""
    stages: tuple[StageShape, ...]
    stage: int
    asked_by: str
    asked_at: str
    comment: str
    expires_at: str
    not_before: str
    """Empty: as soon as it may."""
    digest: str
    """What is approved; empty before it is built."""
    approvals_wanted: int
    approvals: tuple[ApprovalShape, ...]
    obstacles: tuple[ObstacleShape, ...]
    emergency_by: str
    """Who opened the gate for an emergency; empty: nobody."""
    emergency_why: str
    ended_at: str
    ended_by: str
    ended_why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPageShape:
    """A ticket with all that people read before they approve it."""

    ticket: TicketShape
    count: int
    """Commits since what is live; 0 when nothing is."""
    commits: tuple[CommitShape, ...]
    """The newest of them, newest first."""
    back: int
    """Commits that are live now and would not be any more."""
    authors: tuple[str, ...]
    plan: tuple[str, ...]
    slugs: tuple[SlugShape, ...]
    differs: tuple[str, ...]
    """What is otherwise than in the source's environment, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanPromoteShape:
    """What would stand in the way of a promotion, if it was asked for now."""

    project: str
    branch: str
    source: str
    commit: str
    live: str
    """The commit that is live; empty when nothing is."""
    allowed: bool
    """Nothing stands in the way."""
    obstacles: tuple[ObstacleShape, ...]
    stages: tuple[str, ...]
    """Branches whose environments it would go through, the last one is the target."""
    approvals: int
    """That are needed."""
    windows: str
    """When it may become live, in words; empty: always."""
    ticket: int | None
    """The one that is open in the environment; another promotion takes its place."""


def obstacle_shape(found: Obstacle) -> ObstacleShape:
    return ObstacleShape(code=found.code, what=found.what, hint=found.hint, until=iso(found.until))


def page_shape(found: Ticket, shape: TicketShape) -> TicketPageShape:
    brief = brief_of(found)
    return TicketPageShape(
        ticket=shape, count=brief.count, back=brief.back, authors=brief.authors, plan=brief.plan, differs=brief.differs,
        commits=tuple(
            CommitShape(commit=commit, subject=subject, author=author, at=at)
            for commit, subject, author, at in brief.commits
        ),
        slugs=tuple(SlugShape(application=app, slug=slug, where=where) for app, slug, where in brief.slugs),
    )


def words_of_deed(found: Mapping[str, Any]) -> str:
    """What the audit log keeps of something that was done to a ticket, beside who did it. Of a shape as JSON."""
    return "; ".join(filter(None, (
        f"ticket {found['id']}: {found['commit'][:8]} of {found['source']} to {found['stages'][-1]['branch']}",
        f"digest {found['digest']}" if found["digest"] else "",
        f"not before {found['not_before']}" if found["not_before"] else "",
        f"EMERGENCY by {found['emergency_by']}: {found['emergency_why']}" if found["emergency_by"] else "",
        found["ended_why"],
    )))
