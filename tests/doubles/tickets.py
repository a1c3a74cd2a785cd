"""Tickets without a database, as the API, the command line and the console have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deployd.access.caller import Caller
from deployd.commands.tickets import Asking, OfferChanged
from deployd.promotion.people import Person
from deployd.queries.comparisons import CommitShape
from deployd.queries.ticket_shapes import (
    ApprovalShape,
    CanPromoteShape,
    ObstacleShape,
    SlugShape,
    StageShape,
    TicketPageShape,
    TicketShape,
)
from deployd.queries.tickets import NotProtected

AT = "2026-05-04T10:00:00+00:00"
DIGEST = "d" * 32
OBSTACLE = ObstacleShape(
    code="approval-missing", what="production needs 1 approval",
    hint="an approver other than who asked: deployd ticket approve 1", until="",
)


def ticket(number: int = 1, project: str = "shop", **more: Any) -> TicketShape:
    values: dict[str, Any] = {
        "environment": "production-abcdefg", "branch": "production", "source": "main", "commit": "48c43b99" * 5,
        "subject": "Mend the door", "state": "waiting", "is_open": True, "activity": 3, "stage": 0,
        "stages": (StageShape(branch="production", activity=3),), "asked_by": "ada", "asked_at": AT,
        "comment": "the sale", "expires_at": "2026-05-11T10:00:00+00:00", "not_before": "", "digest": DIGEST,
        "approvals_wanted": 1, "approvals": (), "obstacles": (OBSTACLE,), "emergency_by": "", "emergency_why": "",
        "ended_at": "", "ended_by": "", "ended_why": "", **more,
    }
    return TicketShape(id=number, project=project, **values)


def page(found: TicketShape) -> TicketPageShape:
    return TicketPageShape(
        ticket=found, count=1, back=0, authors=("Grace <grace@shop.test>",),
        commits=(CommitShape(commit="2" * 40, subject="Mend the <b>door</b>", author="Grace", at=AT),),
        plan=("app: reuse (built before with the same input)",), differs=("app sees another value of env:HOST",),
        slugs=(SlugShape(application="app", slug="5" * 64, where="the one that is live on main, byte by byte"),),
    )


@dataclass
class FakeTickets:
    known: list[TicketShape] = field(default_factory=lambda: [ticket()])
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def latest(
        self, projects: Sequence[str] | None, environment: str | None, *, is_open: bool | None, limit: int,
        before: int | None = None,
    ) -> list[TicketShape]:
        found = [item for item in sorted(self.known, key=lambda item: -item.id)
                 if (projects is None or item.project in projects) and is_open in (None, item.is_open)
                 and environment in (None, item.environment, item.branch) and (before is None or item.id < before)]
        return found[:limit]

    async def find(self, number: int) -> TicketShape | None:
        return next((item for item in self.known if item.id == number), None)

    async def page(self, number: int) -> TicketPageShape | None:
        found = await self.find(number)
        return page(found) if found else None

    async def of_activity(self, activity: int) -> int | None:
        return next((item.id for item in self.known if activity in [stage.activity for stage in item.stages]), None)

    async def open_in(self, project: str, environment: str) -> TicketShape | None:
        return next(iter(await self.latest([project], environment, is_open=True, limit=1)), None)

    async def can_promote(self, project: str, environment: str, written: str) -> CanPromoteShape:
        if environment == "open":
            raise NotProtected("open of shop is not protected, and takes any push", hint="push to its branch")
        self.asked.append(("can_promote", project, environment, written))
        return CanPromoteShape(
            project=project, branch="production", source=written or "main", commit="48c43b99" * 5, live="1" * 40,
            allowed=False, obstacles=(OBSTACLE,), stages=("staging", "production"), approvals=1,
            windows="mon-thu 09:00-17:00 UTC", ticket=1,
        )

    def person(self, caller: Caller) -> Person:
        return Person(caller.name, caller.person)

    async def promote(self, project: str, environment: str, written: str, asking: Asking) -> TicketShape:
        self.asked.append(("promote", project, environment, written, asking))
        made = ticket(len(self.known) + 1, project, state="building", digest="", obstacles=(), comment=asking.comment,
                      asked_by=asking.by.name, emergency_why=asking.emergency_why,
                      emergency_by=asking.by.name if asking.emergency_why else "")
        self.known.append(made)
        return made

    async def approve(self, number: int, digest: str, by: Person, comment: str) -> TicketShape:
        self.asked.append(("approve", number, digest, by.name, comment))
        found = self._found(number)
        if digest != found.digest:
            raise OfferChanged(f"what the ticket {number} offers now is not what you looked at")
        approval = ApprovalShape(who=by.name, at=AT, comment=comment, counts=True)
        return self._put(replace(found, state="passed", approvals=(approval,), obstacles=()))

    async def decline(self, number: int, by: Person, why: str) -> TicketShape:
        self.asked.append(("decline", number, by.name, why))
        return self._ended(number, "declined", by, why)

    async def withdraw(self, number: int, by: Person, why: str) -> TicketShape:
        self.asked.append(("withdraw", number, by.name, why))
        return self._ended(number, "withdrawn", by, why)

    async def schedule(self, number: int, at: datetime | None, by: Person, *, is_approver: bool) -> TicketShape:
        self.asked.append(("schedule", number, at, by.name, is_approver))
        return self._put(replace(self._found(number), not_before=at.isoformat() if at else ""))

    async def open_for_emergency(self, number: int, by: Person, why: str) -> TicketShape:
        self.asked.append(("emergency", number, by.name, why))
        return self._put(replace(self._found(number), emergency_by=by.name, emergency_why=why, state="passed"))

    def _ended(self, number: int, state: str, by: Person, why: str) -> TicketShape:
        return self._put(replace(
            self._found(number), state=state, is_open=False, ended_at=AT, ended_by=by.name, ended_why=why,
        ))

    def _found(self, number: int) -> TicketShape:
        return next(item for item in self.known if item.id == number)

    def _put(self, changed: TicketShape) -> TicketShape:
        self.known = [changed if item.id == changed.id else item for item in self.known]
        return changed
