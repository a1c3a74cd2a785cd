"""A push is never lost: branches are compared with the activities that were made for them.

A push is lost when its receive hook died between git's last move and the activity's row, or when a webhook never came.
So at the start of the daemon and every few minutes after it, remotes are fetched and every branch is looked at:

    tip without an activity ──► still so after CONFIRM_SECONDS ──► push
    branch gone (remote only) ─► still so after CONFIRM_SECONDS ─► delete

Surprise: nothing is done at the first sight. A push that is on its way has moved the branch, and its own hook or
webhook makes the activity a moment later. A rollback is no reason to push again: only pushes are compared with the tip.
Nor is a push that was to be stored only.

It deliberately does not deploy the branches that a remote has when it is fetched for the first time, and does not
delete production, or anything when the remote shows no branch at all: a repository that was emptied by mistake deletes
no data.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.deployment.kinds import ACTIVATE, DELETE, PROMOTE, PUSH
from deployd.deployment.requests import Request, Requests
from deployd.environment.naming import Source
from deployd.errors import DeployError, Transient
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId
from deployd.settings import ProjectSettings
from deployd.state import activities, environments, kept_back
from deployd.state.activities import Trigger
from deployd.state.store import Store
from deployd.upkeep.branches import Branches, Tips

log = structlog.get_logger()

AGAIN_SECONDS = 300.0
AT_ONCE = 16
"""Looks under way; one at a remote that hangs takes a minute, mostly."""
MOST_FAILED = 20
"""Branches of a project that cannot be made, in one look."""
MAKING = "making what was lost of "
CONFIRM_SECONDS = 20.0
"""A hook makes its activity within milliseconds, a webhook comes within seconds (GitHub: most within five)."""
DEPLOYING = (PUSH.name, ACTIVATE.name)
"""Kinds by which the newest commit of a branch is deployed."""
WHO = Trigger("deployd", "daemon")


@dataclass(frozen=True, slots=True)
class Lost:
    """A branch that no activity was made for as it is now."""

    source: Source
    tip: CommitId | None
    """None: the branch is gone."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look at one project."""

    tips: Tips
    lost: frozenset[Lost]


class LostPushes:
    """Looks for lost pushes and makes the activities that they should have made."""

    def __init__(
        self, store: Store, requests: Requests, branches: Branches, *, confirm_seconds: float = CONFIRM_SECONDS,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._boundary = boundary or ErrorBoundary("lost pushes")
        self._store = store
        self._requests = requests
        self._branches = branches
        self._confirm_seconds = confirm_seconds

    async def serve(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(AGAIN_SECONDS)

    async def look(self) -> list[ActivityId]:
        """Look twice at each project, and make an activity for each branch that was lost at both looks.

        Projects side by side: a remote that hangs keeps no other waiting.
        """
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            looks = [
                group.create_task(self._look_contained(project, places), name=f"look at the branches of {project.id}")
                for project in self._branches.projects.values()
            ]
        return [number for look in looks for number in look.result()]

    async def _look_contained(self, project: ProjectSettings, places: asyncio.Semaphore) -> list[ActivityId]:
        with self._boundary.contain(f"looking for lost pushes of {project.id}"):
            return await self._look_twice(project, places)
        return []

    async def _look_twice(self, project: ProjectSettings, places: asyncio.Semaphore) -> list[ActivityId]:
        first = seen = await self._look_at(project, places)
        made: list[ActivityId] = []
        failed: set[Lost] = set()
        if first is not None and first.lost:
            await asyncio.sleep(self._confirm_seconds)
            seen = await self._look_at(project, places)
            if seen is not None:
                made, failed = await self._make_all(first.lost & seen.lost)
        self._boundary.keep_only(map(_making, failed), beginning=f"{MAKING}{project.id}/")
        if first is not None and seen is not None:
            # After what was lost is made; what still is, is left out.
            left_out = {lost.source.branch for lost in seen.lost - (first.lost - failed)}
            await self._branches.remember(
                project, {branch: tip for branch, tip in seen.tips.items() if branch not in left_out},
            )
        return made

    async def _make_all(self, lost: frozenset[Lost]) -> tuple[list[ActivityId], set[Lost]]:
        """(activities that were made, what is still lost): a flood beyond the project's share is not tried whole."""
        made: list[ActivityId] = []
        failed: set[Lost] = set()
        for item in sorted(lost, key=lambda item: self._boundary.fails(_making(item))):   # those that failed come last
            if len(failed) >= MOST_FAILED:
                failed.add(item)
                continue
            with self._boundary.contain(_making(item)) as tried:
                number = await self._make(item)
                made += [number] if number is not None else []
            failed |= {item} if tried.failed else set()
        return made, failed

    async def _look_at(self, project: ProjectSettings, places: asyncio.Semaphore) -> _Seen | None:
        """None: it cannot be looked at now."""
        try:
            async with places:
                return await self._seen_of(project)
        except (DeployError, Transient) as error:
            log.warning("lost_pushes_not_looked_for", project=project.id, why=str(error))
            return None

    async def _seen_of(self, project: ProjectSettings) -> _Seen:
        known = await self._branches.known(project)
        tips = await self._branches.look(project)
        lost = [
            Lost(Source(project.id, branch), tip) for branch, tip in tips.items()
            if await self._is_lost(project.id, branch, tip, known)
        ]
        if project.remote is not None:
            lost += await self._gone(project, tips)
        return _Seen(tips, frozenset(lost))

    async def _is_lost(
        self, project: ProjectId, branch: str, tip: CommitId, known: Mapping[str, str] | None,
    ) -> bool:
        source = Source(project, branch)
        if await self._store.read(lambda db: self._requests.why_stored(db, source)) is not None:
            return False   # it waits for somebody to activate it
        if await self._store.read(lambda db: kept_back.find(db, project, branch)) == tip:
            return False
        newest = await self._store.read(lambda db: _newest(db, source.environment))
        if newest is None and await self._was_promoted(source.environment):
            return False   # what is live came by a promotion; the push before it is too old to be known
        if newest is None:   # it never had an environment: new, unless the remote had it before we came
            return known is not None and known.get(branch) != tip
        if newest.kind == DELETE.name and newest.trigger.how == "api":   # somebody ended it, and the branch stayed
            return newest.commit != tip
        return not (newest.kind in DEPLOYING and newest.commit == tip)

    async def _was_promoted(self, environment: EnvironmentId) -> bool:
        found = await self._store.read(lambda db: activities.newest_of_kinds(db, environment, (PROMOTE.name,)))
        return found is not None

    async def _gone(self, project: ProjectSettings, tips: Tips) -> list[Lost]:
        if not tips:
            return []
        there = await self._store.read(lambda db: environments.list_all(db, project.id))
        return [
            Lost(Source(project.id, environment.branch), None) for environment in there
            if environment.branch not in tips and environment.branch != project.production
            and project.protection_of(environment.branch) is None   # promotions make some that have no branch
            and not await self._is_deleted(environment.id)
        ]

    async def _is_deleted(self, environment: EnvironmentId) -> bool:
        newest = await self._store.read(lambda db: _newest(db, environment))
        return newest is not None and newest.kind == DELETE.name

    async def _make(self, lost: Lost) -> ActivityId | None:
        def make(db: sqlite3.Connection) -> ActivityId | None:
            newest = _newest(db, lost.source.environment)   # once more: the lost one may have come meanwhile
            kind = DELETE if lost.tip is None else PUSH
            kinds = (DELETE.name,) if lost.tip is None else DEPLOYING
            if newest is not None and newest.kind in kinds and newest.commit == lost.tip:
                return None
            if lost.tip is not None and self._requests.why_stored(db, lost.source) is not None:
                return None
            there = environments.find(db, lost.source.environment)
            if there is not None and there.branch != lost.source.branch:   # a name that only looks the same
                return None
            return self._requests.ask_for(
                db, Request(kind, lost.source.environment, lost.source.branch, lost.tip, WHO),
            )

        number = await self._requests.write(make)
        if number is not None:
            log.warning("lost_push_found", project=lost.source.project, branch=lost.source.branch, commit=lost.tip,
                        activity=number)
        return number


def _making(lost: Lost) -> str:
    return f"{MAKING}{lost.source.project}/{lost.source.branch}"


def _newest(db: sqlite3.Connection, environment: EnvironmentId) -> activities.Activity | None:
    return activities.newest_of_kinds(db, environment, (*DEPLOYING, DELETE.name))
