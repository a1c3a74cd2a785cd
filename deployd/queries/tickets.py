"""Tickets: what waits before protected environments, what it would change, and what stands in its way."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from deployd.environment.naming import Source
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.promotion.gate import Approval, Facts, Obstacle, counted, judge
from deployd.promotion.windows import words
from deployd.queries.projects import find_project
from deployd.queries.ticket_shapes import (
    ApprovalShape,
    CanPromoteShape,
    StageShape,
    TicketPageShape,
    TicketShape,
    obstacle_shape,
    page_shape,
)
from deployd.queries.times import iso
from deployd.release.code import ProjectCode
from deployd.release.ports import Host
from deployd.release.tickets import brief_of, facts_of, is_contained, standing
from deployd.settings import ProjectSettings, Settings
from deployd.state import locks, tickets
from deployd.state.store import Store
from deployd.state.tickets import Ticket, TicketId

HEX = frozenset("0123456789abcdef")
SHORTEST_COMMIT = 7


class NotProtected(DeployError):
    """The environment takes any push; there is nothing that a promotion would have to pass."""

    code: ClassVar[str] = "not-protected"


class NothingToPromote(DeployError):
    """There is no such branch or commit, or nothing is live where it is to come from."""

    code: ClassVar[str] = "nothing-to-promote"


@dataclass(frozen=True, slots=True)
class Way:
    """Where a commit comes from and where it is to go."""

    project: ProjectSettings
    source: str
    commit: CommitId
    stages: tuple[str, ...]
    """Branches, the target last; those where it is live already are left out, but for the target."""


class TicketQueries:
    def __init__(self, store: Store, host: Host, code: ProjectCode) -> None:
        self._store = store
        self._settings: Settings = host.settings
        self._host = host
        self._code = code
        self._clock = host.clock

    async def latest(
        self, projects: Sequence[str] | None, environment: str | None, *, is_open: bool | None, limit: int,
        before: int | None = None,
    ) -> list[TicketShape]:
        """Newest first. `projects` None: of all."""
        return await self._store.read(lambda db: [
            self._shape(db, found) for found in tickets.latest(
                db, projects=projects, is_open=is_open, name_or_branch=environment, before=before, limit=limit,
            )
        ])

    async def find(self, number: int) -> TicketShape | None:
        def find(db: sqlite3.Connection) -> TicketShape | None:
            found = tickets.find(db, TicketId(number))
            return self._shape(db, found) if found else None

        return await self._store.read(find)

    async def page(self, number: int) -> TicketPageShape | None:
        """With what people read before they approve it."""
        def find(db: sqlite3.Connection) -> TicketPageShape | None:
            found = tickets.find(db, TicketId(number))
            return page_shape(found, self._shape(db, found)) if found else None

        return await self._store.read(find)

    async def of_activity(self, activity: int) -> int | None:
        """Number of the ticket of which an activity is a stage; None: it has none."""
        found = await self._store.read(lambda db: tickets.of_activity(db, ActivityId(activity)))
        return found.id if found else None

    async def open_in(self, project: str, environment: str) -> TicketShape | None:
        """The newest that is open in an environment (machine name or branch)."""
        found = await self.latest([project], environment, is_open=True, limit=1)
        return found[0] if found else None

    async def can_promote(self, project: str, environment: str, written: str) -> CanPromoteShape:
        """What would stand in the way.

        Args:
            written: A branch or a commit; empty: what the protection takes commits from.

        Raises:
            NotFound: There is no such project, or it has no such environment.
            NotProtected: It takes any push.
            NothingToPromote: There is nothing that could be promoted.
        """
        way = await self.find_way(project, environment, written)
        branch, first = way.stages[-1], way.stages[0]
        contained = await is_contained(self._host, way.project, first, way.commit)
        facts = [await self.facts(way, stage, contained=contained or stage != first) for stage in way.stages]
        live = await self._host.facts.live(Source(way.project.id, branch).environment)
        protection = way.project.protection_of(branch)
        assert protection is not None
        there = await self.open_in(project, branch)
        found = [obstacle for each in facts for obstacle in judge(each).obstacles]
        return CanPromoteShape(
            project=project, branch=branch, source=way.source, commit=way.commit, live=live.commit if live else "",
            allowed=not found, obstacles=tuple(map(obstacle_shape, dict.fromkeys(found))), stages=way.stages,
            approvals=protection.approvals, windows=words(protection) if protection.windows else "",
            ticket=there.id if there else None,
        )

    async def find_way(self, project: str, environment: str, written: str) -> Way:
        """What is promoted, and through which environments. Raises as `can_promote`."""
        settings = find_project(self._settings, project)
        branch = _protected_branch(settings, environment)
        commit, source, stages = await self._resolve(settings, branch, written or settings.source_of(branch))
        lives = [await self._host.facts.live(Source(settings.id, stage).environment) for stage in stages]
        left = tuple(
            stage for stage, live in zip(stages, lives, strict=True)
            if stage == branch or live is None or live.commit != commit
        )
        return Way(settings, source, commit, left)

    async def _resolve(
        self, project: ProjectSettings, branch: str, written: str,
    ) -> tuple[CommitId, str, tuple[str, ...]]:
        """(commit, what it comes from, stages)"""
        if project.protection_of(written) is not None and written != branch:
            live = await self._host.facts.live(Source(project.id, written).environment)
            if live is None:
                raise NothingToPromote(f"nothing is live on {written}", hint=f"promote to {written} first")
            return live.commit, written, _way(project, branch, written)
        tip = await self._code.tip(project.id, written)
        if tip is not None:
            return tip, written, _way(project, branch, written)
        if len(written) >= SHORTEST_COMMIT and set(written.lower()) <= HEX:
            commit = await self._code.find_commit(project.id, written.lower())
            if commit is None:
                raise NothingToPromote(
                    f"the commit {written} is not in the repository of {project.id}: it was never pushed, or is gone",
                    hint=f"push it, merged to {project.source_of(branch)}, and ask again",
                )
            return commit, project.source_of(branch), (branch,)
        raise NothingToPromote(
            f"there is no branch {written} in the repository of {project.id}, nor a commit of that name",
            hint="push the branch, or name another one; `git branch -r` shows what there is",
        )

    async def is_contained(self, way: Way, branch: str) -> bool:
        """Whether what is promoted is in what a stage takes commits from."""
        return await is_contained(self._host, way.project, branch, way.commit)

    async def live_commit(self, project: ProjectId, branch: str) -> CommitId | None:
        live = await self._host.facts.live(Source(project, branch).environment)
        return live.commit if live else None

    async def facts(self, way: Way, branch: str, *, contained: bool) -> Facts:
        """As they are before anybody has asked for it."""
        project, protection = way.project, way.project.protection_of(branch)
        assert protection is not None
        source = project.source_of(branch)
        lock = await self._store.read(lambda db: locks.find(db, Source(project.id, branch).environment))
        return Facts(
            project=project.id, branch=branch, protection=protection, source=source,
            source_is_live=project.protection_of(source) is not None, commit=way.commit, is_contained=contained,
            now=self._clock.now(), lock=lock.said(branch) if lock else "", lock_until=lock.until if lock else None,
        )

    def _shape(self, db: sqlite3.Connection, found: Ticket) -> TicketShape:
        project = self._settings.projects.get(found.project)
        protection = project.protection_of(found.branch) if project else None
        there, brief, now = tickets.approvals_of(db, found.id), brief_of(found), self._clock.now()
        counting: tuple[Approval, ...] = ()
        wanted = 0
        obstacles: Sequence[Obstacle] = found.obstacles if found.state == "waiting" else ()
        if project is not None and protection is not None:
            facts = facts_of(db, project, found, now, is_contained=True, authors=brief.authors)
            counting, wanted = counted(facts), facts.wanted
            if found.state == "waiting":
                obstacles = standing(db, project, found, now)
        return TicketShape(
            id=found.id, project=found.project, environment=found.environment.name, branch=found.branch,
            source=found.source, commit=found.commit, subject=brief.subject, state=found.state, is_open=found.is_open,
            activity=found.activity, stage=found.stage,
            stages=tuple(StageShape(branch=stage.branch, activity=stage.activity) for stage in found.stages),
            asked_by=found.asked_by.name, asked_at=found.asked_at.isoformat(), comment=found.comment,
            expires_at=found.expires_at.isoformat(), not_before=iso(found.not_before), digest=found.digest,
            approvals_wanted=wanted,
            approvals=tuple(
                ApprovalShape(who=item.by.name, at=item.at.isoformat(), comment=comment, counts=item in counting)
                for item, comment in there
            ),
            obstacles=tuple(map(obstacle_shape, obstacles)), emergency_by=found.emergency_by,
            emergency_why=found.emergency_why, ended_at=iso(found.ended_at), ended_by=found.ended_by,
            ended_why=found.ended_why,
        )


def _protected_branch(project: ProjectSettings, environment: str) -> str:
    """Of an environment that people name by its branch, its machine name or what it is (`production`)."""
    named = {"production": project.production, "staging": project.staging_branch}
    branches = project.protected_branches
    found = next((branch for branch in branches if environment in (
        branch, Source(project.id, branch).environment.name,
    )), None) or (named.get(environment) if named.get(environment) in branches else None)
    if found is None:
        there = f"protected are {', '.join(branches)}" if branches else "none of its environments is"
        raise NotProtected(
            f"{environment} of {project.id} is not protected, and takes any push; {there}",
            hint=f"push to its branch, or say `protected: true` of it in projects.d/{project.id}.yaml",
        )
    return found


def _way(project: ProjectSettings, branch: str, source: str) -> tuple[str, ...]:
    way = project.way_to(branch, source)
    if not way:
        takes = project.source_of(branch)
        raise NothingToPromote(
            f"{branch} takes commits from {takes}, and none from {source}",
            hint=f"merge {source} to {takes}, and promote that: deployd promote {project.id} {takes} {branch}",
        )
    return way
