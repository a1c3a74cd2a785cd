"""Noting who changes what, whatever comes of it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.state import activities, audit
from deployd.state.audit import Deed, Result
from deployd.state.store import Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What somebody is about to do."""

    who: str
    by: str
    address: str
    action: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Of what it is done to: {`project`, `environment`} or {`id`} of an activity, where there is one."""
    said: str = ""


class AuditCommands:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @asynccontextmanager
    async def noting(self, doing: Doing) -> AsyncIterator[None]:
        """Note what is done in the block, and how it ended: an error of ours is a refusal."""
        try:
            yield
        except DeployError as error:
            await self.note(doing, "refused", error.what)
            raise
        except Exception:
            await self.note(doing, "failed", "an error of deployd itself")
            raise
        await self.note(doing, "done")

    async def note(self, doing: Doing, result: Result, why: str = "") -> None:
        """A database that cannot be written does not undo what was done: then it stands in the operator's log alone."""
        try:
            await self._store.write(lambda db: self._append(db, doing, result, why))
        except DeployError as error:
            log.error("deed_not_noted", who=doing.who, action=doing.action, result=result, why=error.what)

    def _append(self, db: sqlite3.Connection, doing: Doing, result: Result, why: str) -> None:
        project, environment = doing.names.get("project", ""), doing.names.get("environment", "")
        number, said = doing.names.get("id", ""), doing.said
        if number.isdecimal() and len(number) < 16:
            found = activities.find(db, ActivityId(int(number)))
            said = f"activity {number}" + (f", {said}" if said else "")
            if found is not None:
                project, environment = found.environment
        audit.append(db, Deed(
            at=self._clock.now(), who=doing.who, by=doing.by, address=doing.address, action=doing.action,
            project=project, environment=environment, said="; ".join(filter(None, (said, why))), result=result,
        ))


def action_of(path: str, names: Mapping[str, str]) -> str:
    """What a path does, from its words: `/activities/7/undo/skip` → `undo skip`."""
    words = [word for word in path.strip("/").split("/") if word not in names.values()]
    skipped = {"api", "v1", "projects", "environments", "activities"}
    return " ".join(word for word in words if word not in skipped)[:100] or "change"
