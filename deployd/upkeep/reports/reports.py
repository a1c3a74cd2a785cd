"""Forges are told how far their pushes are: what is in the database is compared with what was told, again and again.

    activity ─► stage (its state, and its phase) ─► not told yet? ─► requests, one by one ─► told

Nothing is queued: a daemon that dies, a forge that is down or a phase that is over before its turn cost nothing but
the steps between, and what is told last is what is true. A project whose forge does not answer keeps no other waiting,
and no deployment waits for any. After a day it is given up.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import aiohttp
import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.deployment.kinds import ACTIVATE, PROMOTE, PUSH, REDEPLOY, ROLLBACK
from deployd.errors import DeployError
from deployd.forges.known import FORGES
from deployd.forges.repository import repository_of
from deployd.forges.telling import Outcome, Telling
from deployd.ids import ActivityId, ProjectId
from deployd.settings import ProjectSettings, Settings
from deployd.state import entries, reports
from deployd.state.activities import Activity
from deployd.state.reports import Report
from deployd.state.store import Store
from deployd.upkeep.reports.client import ForgeBusy, ForgeClient, ForgeRefuses, NotTaken
from deployd.upkeep.reports.outcomes import next_ones, outcome_of, stage_of

log = structlog.get_logger()

LOOK_SECONDS = 0.5
GIVEN_UP_AFTER = timedelta(days=1)
MOST_REFUSED = 20
"""Of one project in one go: then it is the token."""
TOLD = tuple(kind.name for kind in (PUSH, PROMOTE, REDEPLOY, ROLLBACK, ACTIVATE))
"""Kinds that make a commit live."""


class Reporter:
    """Tells the forges of all projects that have `remote.reports`."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, clean: Callable[[str], str], *,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        """
        Args:
            clean: Takes secrets out of a text.
        """
        self._store = store
        self._clean = clean
        self._clock = clock
        self._public_url = settings.public_url.rstrip("/")
        self._projects = {
            project.id: project for project in settings.projects.values()
            if project.remote is not None and project.remote.reports is not None
        }
        self._boundary = boundary or ErrorBoundary("reports")
        self._first: ActivityId | None = None
        self._not_before: dict[ProjectId, float] = {}

    async def serve(self) -> None:
        if not self._projects:
            await asyncio.Event().wait()
        telling: dict[ProjectId, asyncio.Task[None]] = {}
        # No cookies: what a forge gives one project must not go along with the token of another one.
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session, asyncio.TaskGroup() as group:
            while True:
                for project, waiting in (await self._look()).items():
                    if project not in telling or telling[project].done():
                        told = self._tell_all(session, self._projects[project], waiting)
                        telling[project] = group.create_task(told, name=f"tell the forge of {project}")
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> Mapping[ProjectId, list[Activity]]:
        """{project: what its forge does not know, oldest first}"""
        found: dict[ProjectId, list[Activity]] = {}
        with self._boundary.contain("looking for what forges do not know"):
            untold = await self._store.read(self._untold)
            now = asyncio.get_running_loop().time()
            for activity in next_ones(untold):
                if self._not_before.get(activity.project, 0.0) <= now:
                    found.setdefault(activity.project, []).append(activity)
        return found

    def _untold(self, db: sqlite3.Connection) -> list[Activity]:
        """What was looked through once and is told is not looked through again."""
        if self._first is None:
            self._first = reports.first_since(db, self._clock.now() - GIVEN_UP_AFTER)
        after = reports.first_since(db, self._clock.now())
        found = reports.untold(db, self._first, list(self._projects), TOLD)
        self._first = min([after, *(activity.id for activity in found[:1])])
        return found

    async def _tell_all(
        self, session: aiohttp.ClientSession, project: ProjectSettings, waiting: list[Activity],
    ) -> None:
        assert project.remote is not None
        assert project.remote.reports is not None
        assert project.remote.forge is not None, "settings/contradictions.py"
        repository = repository_of(project.remote.url)
        client = ForgeClient(session, FORGES[project.remote.forge].api, project.remote.reports, repository.host)
        with self._boundary.contain(f"telling {project.remote.forge} of {project.id}") as tried:
            await self._tell_each(client, project, waiting, repository.path)
        if tried.error is not None:
            pause = tried.error.seconds if isinstance(tried.error, ForgeBusy) else tried.again_in
            self._not_before[project.id] = asyncio.get_running_loop().time() + pause

    async def _tell_each(
        self, client: ForgeClient, project: ProjectSettings, waiting: list[Activity], repository: str,
    ) -> None:
        """
        Raises:
            DeployError: One could not be told. What is refused is of its branch or commit alone, perhaps: it keeps no
                other waiting.
        """
        refused: list[ForgeRefuses] = []
        for activity in waiting:
            try:
                await self._tell(client, project, activity, repository)
            except ForgeRefuses as error:
                refused.append(error)
            if len(refused) == MOST_REFUSED:
                break
        if refused:
            raise refused[0]

    async def _tell(self, client: ForgeClient, project: ProjectSettings, activity: Activity, repository: str) -> None:
        """Tell a forge of one activity as it is now, unless it knows.

        Raises:
            DeployError: It could not be told; later, perhaps.
        """
        journal = await self._store.read(lambda db: entries.all_of_activity(db, activity.id))
        stage = stage_of(activity, journal)
        report = await self._store.read(lambda db: reports.find(db, activity.id))
        if report.told == stage:
            return
        if report.telling != stage:   # what it was being told is over
            report = replace(report, telling=stage, done=0)
        page = f"{self._public_url}/activities/{activity.id}" if self._public_url else ""
        outcome = outcome_of(activity, journal, project, repository, page)
        outcome = replace(outcome, said=self._clean(outcome.said))
        try:
            while report.told != stage:
                report = await self._next(client, outcome, report, stage)
                await self._keep(report)
        except DeployError as error:
            await self._failed(report, error)
            raise

    async def _next(self, client: ForgeClient, outcome: Outcome, report: Report, stage: str) -> Report:
        """The report after its next request."""
        tellings = client.api.tellings
        if report.done == len(tellings):
            return replace(report, told=stage, telling="", done=0, failing_since=None)
        telling = tellings[report.done]
        call = telling.call(outcome, report.ids) if _is_wanted(telling, client, outcome, report) else None
        made: int | None = None
        if call is not None:
            try:
                made = await client.send(call)
            except NotTaken as error:   # a commit that the forge does not have, a rule of its own: the rest is told
                log.warning("forge_does_not_take", activity=report.activity, what=error.what, said=error.evidence)
        ids = {**report.ids, call.keeps: made} if call is not None and made is not None else report.ids
        return replace(report, done=report.done + 1, ids=ids)

    async def _failed(self, report: Report, error: DeployError) -> None:
        now = self._clock.now()
        since = report.failing_since or now
        if now - since < GIVEN_UP_AFTER:
            await self._keep(replace(report, failing_since=since))
            return
        log.error("forge_not_told", activity=report.activity, stage=report.telling, why=error.what)
        await self._keep(replace(report, told=report.telling, telling="", done=0, failing_since=None))

    async def _keep(self, report: Report) -> None:
        await self._store.write(lambda db: reports.put(db, report))


def _is_wanted(telling: Telling, client: ForgeClient, outcome: Outcome, report: Report) -> bool:
    """A deployment is told of when it begins and ends, not of each phase."""
    if telling.about == "status":
        return client.reports.statuses
    return client.reports.deployments and report.told.split(" ")[0] != outcome.state
