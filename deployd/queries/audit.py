"""Who changed what, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from deployd.state import audit
from deployd.state.audit import Chain
from deployd.state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedShape:
    """Something that somebody changed, or wanted to."""

    number: int
    at: str
    """ISO 8601, UTC."""
    who: str
    by: str
    """`console`, `api`, `socket`, `git`, `github` or `gitlab`."""
    address: str
    action: str
    project: str
    environment: str
    said: str
    result: str
    """`done`, `refused` or `failed`."""
    hash: str
    """Of this entry and of all before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCheckShape:
    """Whether each entry of the audit log follows from the one before."""

    number: int
    """Of the last entry, or the one that is broken; 0: there is none."""
    hash: str
    first_broken: int | None
    """The first that does not; null: all do."""


class AuditQueries:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def head(self) -> dict[str, Any]:
        """The last entry: {`number`, `hash`}."""
        number, last = await self._store.read(audit.head)
        return {"number": number, "hash": last}

    async def check(self) -> AuditCheckShape:
        chain = Chain()
        while not chain.is_over:
            chain = await self._store.read(partial(audit.follow_chain, chain=chain))
        return AuditCheckShape(number=chain.number, hash=chain.hash, first_broken=chain.broken)

    async def newest(
        self, projects: Sequence[str] | None, *, before: int | None = None, limit: int = 50,
    ) -> list[DeedShape]:
        """
        Args:
            projects: Only of these; None: of all, and what is of no project.
            before: Only entries with a smaller number.
        """
        found = await self._store.read(lambda db: audit.newest(db, projects=projects, before=before, limit=limit))
        return [
            DeedShape(
                number=entry.number, at=entry.deed.at.isoformat(), who=entry.deed.who, by=entry.deed.by,
                address=entry.deed.address, action=entry.deed.action, project=entry.deed.project,
                environment=entry.deed.environment, said=entry.deed.said, result=entry.deed.result, hash=entry.hash,
            )
            for entry in found
        ]
