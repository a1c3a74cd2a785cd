"""Noting who changes what, whatever comes of it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.state import activities, audit, tickets
from deployd.state.audit import Deed, Result
from deployd.state.store import Store
from deployd.state.tickets import TicketId

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What somebody is about to do."""

    who: str
    by: str
    address: str
    action: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Of what it is done to: {`project`, `environment`} or {`id`} of an activity, where there is one, and others by
    their kind: {`person`}, {`ticket`}."""
    said: str = ""


OWN_COLUMNS = ("project", "environment", "id")
MOST_REFUSALS = 60
"""Of one caller within a minute; further ones stand in the operator's log alone, for the audit log is kept for ever."""
MINUTE = timedelta(minutes=1)


class AuditCommands:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._refusals: Counter[tuple[str, str]] = Counter()
        """{(how, who): how many in this minute}"""
        self._minute = datetime.min.replace(tzinfo=UTC)

    @asynccontextmanager
    async def noting(self, doing: Doing) -> AsyncIterator[list[str]]:
        """Note what is done in the block, and how it ended: an error of ours is a refusal.

        It is given a list for what else is to be said of it.
        """
        more: list[str] = []
        try:
            yield more
        except DeployError as error:
            await self.note(doing, "refused", error.what)
            raise
        except Exception:
            await self.note(doing, "failed", "an error of deployd itself")
            raise
        await self.note(doing, "done", "; ".join(more))

    async def note(self, doing: Doing, result: Result, why: str = "") -> None:
        """A database that cannot be written does not undo what was done: then it stands in the operator's log alone."""
        if result == "refused" and self._are_too_many_refusals(doing):
            log.warning("refusal_not_noted", who=doing.who, by=doing.by, action=doing.action, why=why)
            return
        try:
            await self._store.write(lambda db: self._append(db, doing, result, why))
        except DeployError as error:
            log.error("deed_not_noted", who=doing.who, action=doing.action, result=result, why=error.what)

    def _are_too_many_refusals(self, doing: Doing) -> bool:
        now = self._clock.now()
        if now - self._minute >= MINUTE:
            self._minute, self._refusals = now, Counter()
        self._refusals[doing.by, doing.who] += 1
        return self._refusals[doing.by, doing.who] > MOST_REFUSALS

    def _append(self, db: sqlite3.Connection, doing: Doing, result: Result, why: str) -> None:
        project, environment = doing.names.get("project", ""), doing.names.get("environment", "")
        others = [f"{kind} {name}" for kind, name in doing.names.items() if kind not in OWN_COLUMNS]
        number, said = doing.names.get("id", ""), "; ".join((*others, *filter(None, (doing.said,))))
        ticket = doing.names.get("ticket", "")
        if ticket.isdecimal() and len(ticket) < 16:
            wanted = tickets.find(db, TicketId(int(ticket)))
            if wanted is not None:
                project, environment = wanted.environment
        if number.isdecimal() and len(number) < 16:
            found = activities.find(db, ActivityId(int(number)))
            said = f"activity {number}" + (f", {said}" if said else "")
            if found is not None:
                project, environment = found.environment
        audit.append(db, Deed(
            at=self._clock.now(), who=doing.who, by=doing.by, address=doing.address, action=doing.action,
            project=project, environment=environment, said="; ".join(filter(None, (said, why))), result=result,
        ))


def action_of(pattern: str) -> str:
    """What a row of a table of routes does, from its words: `/activities/{id}/undo/skip` → `undo skip`."""
    skipped = {"api", "v1", "projects", "environments", "activities"}
    words = [word for word in pattern.strip("/").split("/") if not word.startswith("{") and word not in skipped]
    return " ".join(words)[:100] or "change"
