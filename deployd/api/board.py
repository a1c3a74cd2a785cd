"""What is, read from the database and the settings."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakSet

from deployd import __version__
from deployd.access.errors import NotFound
from deployd.activity.follower import Follower
from deployd.activity.journal import read_result
from deployd.activity.log import Logs
from deployd.api.entry import entry_shape
from deployd.api.fresh import Fresh
from deployd.api.metrics import Figures
from deployd.api.shapes import (
    ActivityShape,
    CertificateShape,
    EntryShape,
    EnvironmentShape,
    LockShape,
    MailShape,
    ProjectShape,
    StatusShape,
    UseShape,
)
from deployd.certificates.manager import HostCertificate
from deployd.clock import Clock
from deployd.environment.hosts import domains_of
from deployd.environment.naming import environment_type
from deployd.git.mirror import without_user
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.mail.letter import Letter
from deployd.mail.seen import read_box, read_message
from deployd.output.follower import OutputFollower
from deployd.output.outputs import Outputs
from deployd.output.sources import Wanted
from deployd.release.paths import Places
from deployd.release.version import Version
from deployd.settings import Settings
from deployd.state import activities, answers, entries, environments, locks
from deployd.state.activities import Activity
from deployd.state.answers import WrongAnswer
from deployd.state.environments import Environment
from deployd.state.locks import Lock
from deployd.state.store import Store
from deployd.units import MEGABYTE
from deployd.upkeep.access_tail import AT_ONCE, AccessTail
from deployd.upkeep.usage.keeper import Usage
from deployd.upkeep.usage.parts import Use

MOST_OLD = 1_000
"""Versions that are kept though nothing shows them any more."""
FRESH_SECONDS = 1.0
"""A status is not made anew more often than that, however many monitors poll it."""

PATIENCE_SECONDS = 3.0
"""Docker and the router answer in milliseconds. Monitors, and systemd's watchdog, do not wait for one that hangs."""

Health = Callable[[], Awaitable[tuple[dict[str, Any], dict[str, Any], list[str]]]]
"""(engine, router, reasons why no push can be taken)"""


class StateBoard:
    """The reads of the API."""

    def __init__(
        self, store: Store, settings: Settings, logs: Logs, clock: Clock, health: Health,
        degraded: Callable[[], Sequence[str]] = tuple, waits: Callable[[ActivityId], str] = lambda _: "",
        measured: Callable[[], Awaitable[Figures]] | None = None,
        collected: Callable[[], dict[str, Any]] = dict,
        certificates: Callable[[], Sequence[HostCertificate]] = tuple, outputs: Outputs | None = None,
        usage: Usage | None = None, began: float | None = None,
    ) -> None:
        """
        Args:
            degraded: What is not well in environments, one sentence each; pushes can be taken all the same.
            waits: What an activity in progress waits for.
            measured: For `/metrics`.
            collected: The last round of housekeeping; empty before the first one.
            certificates: What each host shows over TLS.
            outputs: What containers print.
            usage: What they use.
            began: When the daemon did, by the monotonic clock; None: now.
        """
        self._store = store
        self._settings = settings
        self._places = Places(settings.state, settings.run)
        self._logs = logs
        self._clock = clock
        self._health = health
        self._degraded = degraded
        self._waits = waits
        self._measured = measured
        self._collected = collected
        self._certificates = certificates
        self._outputs = outputs
        self._usage = usage
        self._tails: WeakSet[AccessTail] = WeakSet()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._began = time.monotonic() if began is None else began
        self._versions: dict[ActivityId, tuple[str, str]] = {}
        """{activity: commit and first URL of its version}"""
        self._healths = Fresh(self._look, FRESH_SECONDS)
        self._statuses = Fresh(self._status, FRESH_SECONDS)
        self._wrong = Fresh(self._wrong_answers, FRESH_SECONDS)
        self._environments = Fresh(partial(self.environments, None), FRESH_SECONDS)

    async def not_ready(self) -> list[str]:
        return (await self._healths.get())[2]

    async def status(self, *, with_environments: bool, with_names: bool) -> StatusShape:
        """At most a second old."""
        seen = await self._statuses.get()
        wrong = [f"{item.environment}: {item.said}" for item in await self._wrong.get()]
        troubles = (*self._degraded(), *wrong)
        if troubles:
            counted = f"{len(troubles)} of the environments and the router are not as they should be"
            reasons = (*seen.reasons, *(troubles if with_names else (counted,)))
            seen = replace(seen, state="degraded", reasons=reasons)
        return replace(seen, environments=tuple(await self._environments.get())) if with_environments else seen

    async def _look(self) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._health()
        except TimeoutError:
            late = f"Docker or the router did not answer within {PATIENCE_SECONDS:g} s"
            return {"reachable": False}, {"reachable": False}, [late]

    async def _status(self) -> StatusShape:
        engine, router, reasons = await self._healths.get()
        hour = self._clock.now() - timedelta(hours=1)
        counts = await self._store.read(lambda db: activities.count_by_state(db, hour))
        free = (await asyncio.to_thread(shutil.disk_usage, self._settings.state)).free // MEGABYTE
        if free < self._settings.min_free_disk_mb:
            reasons = [*reasons, f"only {free} MB are free on the disk: nothing can be built"]
        return StatusShape(
            version=__version__, state="degraded" if reasons else "ok", reasons=tuple(reasons),
            uptime_seconds=int(time.monotonic() - self._began),
            activities={"pending": counts["pending"], "in_progress": counts["in_progress"],
                        "failed_last_hour": counts["failed"]},
            engine=engine, router=router,
            disk={"free_mb": free, "needed_mb": self._settings.min_free_disk_mb}, collected=self._collected(),
        )

    async def _wrong_answers(self) -> Sequence[WrongAnswer]:
        return await self._store.read(answers.wrong_ones)

    async def projects(self) -> list[ProjectShape]:
        found = await self._store.read(environments.list_all)
        address = self._settings.public_url or f"http://{self._settings.listen}"
        return [
            ProjectShape(
                project.id, project.title or project.id, project.default_branch,
                without_user(project.remote.url) if project.remote else "", f"{address}/git/{project.id}.git",
                sum(environment.project == project.id for environment in found),
            )
            for project in self._settings.projects.values()
        ]

    async def environments(self, project: str | None) -> list[EnvironmentShape]:
        found = await self._store.read(lambda db: environments.list_all(db, project))
        await self._read_versions(found)
        newest = {item.environment: item for item in await self._store.read(activities.newest_of_each)}
        wrong: dict[EnvironmentId, tuple[str, ...]] = {}
        for one in await self._wrong_answers():
            wrong[one.environment] = (*wrong.get(one.environment, ()), one.said)
        locked = {item.environment: item for item in await self._store.read(locks.list_all)}
        return [
            replace(
                self._shape(item, newest.get(item.id), locked.get(item.id)),
                answers=wrong.get(item.id, ()),
            )
            for item in found if item.project in self._settings.projects
        ]

    async def addresses(self, project: str, environment: str) -> list[str]:
        text = await self._store.read(
            lambda db: environments.live_version(db, EnvironmentId(ProjectId(project), EnvironmentName(environment))),
        )
        return list(read_result(text, Version).routes) if text else []

    async def _read_versions(self, found: Sequence[Environment]) -> None:
        """Have what is shown of every live version. None ever changes, so each is read once."""
        live = {item.live_activity for item in found if item.live_activity is not None}
        for activity in live - self._versions.keys():
            text = await self._store.read(lambda db, number=activity: environments.version_of(db, number))  # type: ignore[misc]
            if text is not None:
                version = read_result(text, Version)
                self._versions[activity] = (version.commit, version.routes[0] if version.routes else "")
        if len(self._versions) > 2 * len(live) + MOST_OLD:
            self._versions = {activity: self._versions[activity] for activity in live & self._versions.keys()}

    def _shape(self, found: Environment, newest: Activity | None, lock: Lock | None) -> EnvironmentShape:
        project = self._settings.projects[found.project]
        commit, url = self._versions.get(found.live_activity or ActivityId(0), ("", ""))
        doing = newest.id if newest and newest.state in activities.OPEN and not newest.held else None
        if doing is not None:
            state = "deploying"
        elif newest is not None and newest.state == "failed":
            state = "failed"
        else:
            state = "live" if commit else "new"
        url = url or f"http://{domains_of(self._settings, project, found.id, found.branch).default}/"
        return EnvironmentShape(
            found.project, found.name, found.branch, environment_type(project, found.branch), state, url,
            commit, found.live_activity, _text(found.live_since), doing, lock_shape(lock) if lock else None,
            killed=tuple(self._usage.killed(found.id)) if self._usage is not None else (),
        )

    async def uses(self, project: str | None, environment: str | None) -> list[UseShape]:
        if project is not None and environment is not None:
            environment = (await self._find(project, environment)).name
        found = await self._usage.uses(project, environment) if self._usage is not None else []
        at = self._clock.now().isoformat()
        return [use_shape(item, at) for item in found]

    def certificates(self) -> list[CertificateShape]:
        return [
            CertificateShape(item.host, item.project, item.kind, item.state, _text(item.ends), item.why,
                             _text(item.again_at))
            for item in self._certificates()
        ]

    async def activities(
        self, projects: Sequence[str] | None, environment: str | None, state: str | None, limit: int,
    ) -> list[ActivityShape]:
        found = await self._store.read(lambda db: activities.latest(
            db, projects=projects, name_or_branch=environment, states=[state] if state else [], limit=limit,
        ))
        return [activity_shape(item, self._waits(item.id)) for item in found]

    async def newest(self) -> list[ActivityShape]:
        found = await self._store.read(activities.newest_of_each)
        return [activity_shape(item, self._waits(item.id)) for item in found]

    async def activity(self, number: int) -> ActivityShape | None:
        found = await self._store.read(lambda db: activities.find(db, ActivityId(number)))
        return activity_shape(found, self._waits(found.id)) if found else None

    async def journal(self, number: int) -> list[EntryShape]:
        found = await self._store.read(lambda db: entries.all_of_activity(db, ActivityId(number)))
        return [entry_shape(item) for item in found]

    async def figures(self) -> Figures:
        """Patiently, like a status."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._measured() if self._measured else Figures()
        except TimeoutError:
            return Figures()

    async def access_log(self, project: str, environment: str, lines: int) -> AccessTail:
        found = await self._find(project, environment)
        tail = AccessTail(self._places.access_log(found.id), lines, self._turns)
        self._tails.add(tail)
        return tail

    async def mails(self, project: str, environment: str) -> list[MailShape]:
        found = await self._find(project, environment)
        async with self._turns:
            letters = await asyncio.to_thread(read_box, self._settings.state, found.project, found.name)
        return [mail_shape(letter) for letter in letters]

    async def mail(self, project: str, environment: str, number: int) -> bytes:
        found = await self._find(project, environment)
        async with self._turns:
            message = await asyncio.to_thread(read_message, self._settings.state, found.project, found.name, number)
        if message is None:
            raise NotFound(f"there is no mail {number} in the box of {found.id}",
                           mend=f"`deployd mail {found.project} {found.name}` shows what there is")
        return message

    async def output(
        self, project: str, environment: str, wanted: Wanted, *, start: str, lines: int | None,
    ) -> OutputFollower:
        found = await self._find(project, environment)
        assert self._outputs is not None, "a board without outputs is asked for one"
        return await self._outputs.follow(found.id, wanted, start=start, lines=lines)

    async def _find(self, project: str, environment: str) -> Environment:
        """
        Raises:
            NotFound: The project has no environment of this name or branch.
        """
        for found in await self._store.read(lambda db: environments.list_all(db, ProjectId(project))):
            if environment in (found.name, found.branch):
                return found
        raise NotFound(
            f"the project {project} has no environment {environment}",
            mend=f"`deployd environments --project {project}` shows what there is",
        )

    def end_followers(self) -> None:
        """Let those stop who read an access log or what containers print: the daemon does."""
        if self._outputs is not None:
            self._outputs.end_followers()
        for tail in self._tails:
            tail.end()

    def log(self, number: int, after: int) -> JsonLines:
        return JsonLines(self._logs.follow(ActivityId(number), after))


class JsonLines:
    """A followed log as JSON values."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    async def take(self) -> list[dict[str, Any]] | None:
        lines = await self._follower.take()
        return None if lines is None else [asdict(line) for line in lines]

    async def rest(self) -> list[dict[str, Any]]:
        return [asdict(line) for line in await self._follower.rest()]

    def close(self) -> None:
        self._follower.close()


def activity_shape(found: Activity, waits: str = "") -> ActivityShape:
    ended = found.ended_at
    seconds = (ended - found.started_at).total_seconds() if ended and found.started_at else None
    return ActivityShape(
        found.id, found.project, found.environment.name, found.branch, found.kind, found.commit or "", found.state,
        found.reason, found.trigger.who, found.trigger.how, found.created_at.isoformat(), _text(found.started_at),
        _text(ended), seconds, found.reason if found.held and found.state in activities.OPEN else waits,
    )


def mail_shape(letter: Letter) -> MailShape:
    return MailShape(
        letter.id, _moment(letter.at), letter.sender, letter.recipients, letter.subject, letter.size_bytes,
        letter.state, letter.why, letter.tries, _moment(letter.again_at) if letter.again_at else "",
    )


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""   # a note that is none of ours


def lock_shape(lock: Lock) -> LockShape:
    return LockShape(lock.who, lock.reason, lock.at.isoformat())


def use_shape(use: Use, at: str) -> UseShape:
    part = use.part
    return UseShape(
        at, part.project, part.environment, part.kind, part.name, use.containers, round(use.cpu_seconds, 6),
        use.memory_bytes, use.memory_limit_bytes, use.restarts, use.kills, _text(use.killed_at), use.disk_bytes,
    )


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
