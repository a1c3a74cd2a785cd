"""Board and desk of the API without a database: they keep the promises of `deployd.api.ports`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from deployd.access.errors import NotFound
from deployd.activity.line import Line
from deployd.api.applications import local_application
from deployd.api.desk import NothingLive
from deployd.api.metrics import Figures
from deployd.api.routes import api_routes
from deployd.api.shapes import (
    ActivityShape,
    CertificateShape,
    CollectShape,
    EntryShape,
    EnvironmentShape,
    LockedShape,
    LockShape,
    MailShape,
    PassShape,
    PlanShape,
    ProjectShape,
    StatusShape,
    ThingShape,
    UseShape,
)
from deployd.output.sources import Wanted
from deployd.reading.offer import parse_offer
from deployd.router.table import RouterStatus
from deployd.upkeep.traffic import Visits

MAIL = "From: a@shop.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nEs grüßt\r\nder Laden\r\n".encode()
AT = "2026-05-04T10:00:00+00:00"
COLLECTED = CollectShape(AT, 7_600_000, False, (
    ThingShape("data", "shop/old-abc", "its environment was deleted", 7_600_000, AT),
))


def activity(number: int, project: str = "shop", **more: Any) -> ActivityShape:
    values: dict[str, Any] = {
        "environment": "main-bvxea6i", "branch": "main", "kind": "push", "commit": "48c43b99" * 5, "state": "success",
        "reason": "", "who": "ada", "how": "git", "created_at": AT, "started_at": AT, "ended_at": AT, "seconds": 3.41,
        **more,
    }
    if values["state"] in ("pending", "in_progress"):
        values |= {"ended_at": "", "seconds": None}
    return ActivityShape(id=number, project=project, **values)


def environment(project: str, branch: str = "main", **more: Any) -> EnvironmentShape:
    values: dict[str, Any] = {
        "name": "main-bvxea6i", "type": "production", "state": "live", "url": f"http://{project}.test/",
        "commit": "48c43b99", "activity": 1, "since": AT, **more,
    }
    return EnvironmentShape(project=project, branch=branch, **values)


def certificate(host: str, project: str, **more: Any) -> CertificateShape:
    values: dict[str, Any] = {"kind": "acme", "state": "valid", "ends": AT, "why": "", "again_at": "", **more}
    return CertificateShape(host=host, project=project, **values)


def line(number: int, text: str, kind: str = "line", **more: Any) -> dict[str, Any]:
    values = {"at": AT, "phase": "build", "app": "", "where": "", "more": [], **more}
    return {"number": number, "kind": kind, "text": text, **values}


def ending(number: int, state: str = "success") -> dict[str, Any]:
    return line(number, f"push of main: {state}", "end", where=state)


class FakeLines:
    """A log that grows: what is there, then what the test adds; a break stands for a daemon that stops."""

    def __init__(self, board: FakeBoard, number: int, after: int) -> None:
        self._board, self._number, self._after = board, number, after

    async def rest(self) -> list[dict[str, Any]]:
        found = [item for item in self._board.logs.get(self._number, []) if item["number"] > self._after]
        if found:
            self._after = found[-1]["number"]
        return found

    async def take(self) -> list[dict[str, Any]] | None:
        found = await self.rest()
        if found:
            return found
        log = self._board.logs.get(self._number, [])
        if self._board.breaks or (log and log[-1]["kind"] == "end"):
            self._board.breaks = max(0, self._board.breaks - 1)
            return None
        await asyncio.sleep(0.02)
        return []

    def close(self) -> None:
        self._board.closed += 1


MOST_AT_ONCE = 50


class FakeOutput:
    """What containers print: what is there, then what the test adds; `breaks` as for logs."""

    def __init__(self, board: FakeBoard, start: str) -> None:
        self._board, self._start = board, start

    async def rest(self) -> bytes:
        found = [item for item in self._board.printed if item["time"][:-1] >= self._start][:MOST_AT_ONCE]
        if found:
            self._start = found[-1]["time"][:-1] + "\0"
        return "".join(f"{json.dumps(item)}\n" for item in found).encode()

    async def take(self) -> bytes | None:
        if found := await self.rest():
            return found
        if self._board.breaks:
            self._board.breaks -= 1
            return None
        await asyncio.sleep(0.02)
        return b""

    def close(self) -> None:
        self._board.closed += 1


@dataclass
class FakeBoard:
    known: list[ActivityShape] = field(default_factory=list)
    logs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    breaks: int = 0
    """So many followers see the log end before the activity does."""
    closed: int = 0
    bug: Exception | None = None
    titles: Mapping[str, str] = field(default_factory=lambda: {"shop": "Shop", "blog": "Blog"})
    running: Sequence[EnvironmentShape] = tuple(environment(name) for name in ("shop", "blog"))
    routes: Mapping[str, list[str]] = field(default_factory=dict)
    """{machine name of an environment: URLs}"""
    hosts: Sequence[CertificateShape] = tuple(certificate(f"{name}.test", name) for name in ("shop", "blog"))
    router: RouterStatus | None = None
    used: list[list[UseShape]] = field(default_factory=lambda: [[]])
    """What is used at the first question, the second, and so on."""
    asked_uses: list[tuple[str | None, str | None]] = field(default_factory=list)
    printed: list[dict[str, Any]] = field(default_factory=list)
    """What containers print."""
    mailed: list[MailShape] | None = None
    """None: one mail."""
    asked_output: list[tuple[Wanted, str, int | None]] = field(default_factory=list)

    async def status(self, *, with_environments: bool, with_names: bool) -> StatusShape:
        status = StatusShape(
            "0.1.0", "degraded" if self.reasons else "ok", self._shown(with_names), 60,
            {"pending": 1, "in_progress": 2, "failed_last_hour": 3}, {"reachable": True, "version": "20.10"},
            {"reachable": True, "held_now": 7}, {"free_mb": 5000, "needed_mb": 1024},
            {"at": "2026-05-04T10:00:00+00:00", "things": {"log": 5, "slug": 2}, "size_bytes": 61_440_000},
        )
        return replace(status, environments=tuple(await self.environments(None))) if with_environments else status

    def _shown(self, with_names: bool) -> tuple[str, ...]:
        return self.reasons if with_names else tuple("a reason without names" for _ in self.reasons)

    async def not_ready(self) -> list[str]:
        return list(self.reasons)

    async def projects(self) -> list[ProjectShape]:
        if self.bug:
            raise self.bug
        return [ProjectShape(name, title, "main", "", f"http://127.0.0.1:8480/git/{name}.git", 1)
                for name, title in self.titles.items()]

    async def environments(self, project: str | None) -> list[EnvironmentShape]:
        return [item for item in self.running if project in (None, item.project)]

    async def addresses(self, project: str, environment: str) -> list[str]:
        return self.routes.get(environment, [])

    async def newest(self) -> list[ActivityShape]:
        return list({(item.project, item.environment): item for item in sorted(self.known, key=lambda item: item.id)}
                    .values())

    def certificates(self) -> list[CertificateShape]:
        return list(self.hosts)

    async def activities(
        self, projects: Sequence[str] | None, environment: str | None, state: str | None, limit: int,
    ) -> list[ActivityShape]:
        found = [item for item in sorted(self.known, key=lambda item: -item.id)
                 if (projects is None or item.project in projects)
                 and environment in (None, item.environment, item.branch) and state in (None, item.state)]
        return found[:limit]

    async def activity(self, number: int) -> ActivityShape | None:
        return next((item for item in self.known if item.id == number), None)

    async def journal(self, number: int) -> list[EntryShape]:
        return [EntryShape("build_apps", "started", AT, ""), EntryShape("build_apps", "done", AT, "")]

    def log(self, number: int, after: int) -> FakeLines:
        return FakeLines(self, number, after)

    async def figures(self) -> Figures:
        visits = {name: Visits() for name in ("shop/main-bvxea6i", "blog/main-bvxea6i")}
        visits["shop/main-bvxea6i"].count(200, 0.03)
        return Figures(visits, self.router, {"builds": (1, 2)})

    async def uses(self, project: str | None, environment: str | None) -> list[UseShape]:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing")
        self.asked_uses.append((project, environment))
        return [item for item in self.used[min(len(self.asked_uses), len(self.used)) - 1]
                if project in (None, item.project)]

    async def output(
        self, project: str, environment: str, wanted: Wanted, *, start: str, lines: int | None,
    ) -> FakeOutput:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing", mend="`deployd environments`")
        self.asked_output.append((wanted, start, lines))
        return FakeOutput(self, start)

    async def access_log(self, project: str, environment: str, lines: int) -> FakeLines:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing", mend="`deployd environments`")
        return FakeLines(self, 0, max(-1, len(self.logs.get(0, [])) - lines - 1))

    async def mails(self, project: str, environment: str) -> list[MailShape]:
        if self.mailed is not None:
            return self.mailed
        return [MailShape(1, AT, "a@shop.test", ("b@c.test",), "Hello", len(MAIL), "kept", "", 0, "")]

    async def mail(self, project: str, environment: str, number: int) -> bytes:
        if number != 1:
            raise NotFound(f"there is no mail {number} in the box of {project}/{environment}")
        return MAIL


@dataclass
class FakeDesk:
    board: FakeBoard
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    """What an activity that is made here says."""
    plan_lines: list[str] = field(default_factory=lambda: ["app: build (no slug yet)"])
    refusal: Exception | None = None

    async def redeploy(self, project: str, environment: str, who: str) -> ActivityShape:
        self.asked.append(("redeploy", project, environment, who))
        return self._made(project, environment, "redeploy")

    async def lock(self, project: str, environment: str, reason: str, who: str) -> LockedShape:
        self.asked.append(("lock", project, environment, reason, who))
        return LockedShape(project, "main-bvxea6i", environment, LockShape(who, reason, AT), (3,))

    async def unlock(self, project: str, environment: str, who: str) -> LockedShape:
        self.asked.append(("unlock", project, environment, who))
        return LockedShape(project, "main-bvxea6i", environment, None, (4,))

    async def rollback(
        self, project: str, environment: str, to: int | None, who: str, *, lock: bool | None = None,
    ) -> ActivityShape:
        self.asked.append(("rollback", project, environment, to, who, *([] if lock is None else [lock])))
        if to == 99:
            raise NothingLive("main has no version 99 to go back to", mend="versions that were live: 1")
        return self._made(project, environment, "rollback")

    async def make_pass(self, project: str, environment: str, who: str) -> PassShape:
        self.asked.append(("pass", project, environment, who))
        return PassShape((f"http://{project}.test/pass?1.f",), AT)

    async def cancel(self, activity: int, who: str) -> ActivityShape:
        self.asked.append(("cancel", activity, who))
        found = await self.board.activity(activity)
        assert found is not None
        return found

    async def retry_undo(self, activity: int) -> ActivityShape:
        self.asked.append(("retry_undo", activity))
        found = await self.board.activity(activity)
        assert found is not None
        return found

    async def skip_undo(self, activity: int, who: str) -> ActivityShape:
        self.asked.append(("skip_undo", activity, who))
        found = await self.board.activity(activity)
        assert found is not None
        return found

    async def collectable(self, *, deleted: bool) -> CollectShape:
        self.asked.append(("collectable", deleted))
        return COLLECTED

    async def collect(self, who: str, *, deleted: bool) -> CollectShape:
        self.asked.append(("collect", who, deleted))
        return COLLECTED

    async def plan(self, project: str, body: bytes) -> PlanShape:
        offered = parse_offer(body)
        self.asked.append(("plan", project, offered.branch, offered))
        return PlanShape(project, offered.branch, tuple(self.plan_lines))

    def _made(self, project: str, environment: str, kind: str) -> ActivityShape:
        if self.refusal:
            raise self.refusal
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing", mend="`deployd environments`")
        made = activity(len(self.board.known) + 1, project, kind=kind, state="pending")
        ended = self.log[-1]["where"] if self.log and self.log[-1]["kind"] == "end" else ""
        self.board.known.append(replace(made, state=ended, ended_at=AT) if ended else made)
        self.board.logs[made.id] = self.log
        return made


@asynccontextmanager
async def open_fake_daemon(socket: Path, board: FakeBoard, desk: FakeDesk) -> AsyncIterator[None]:
    """The application of the daemon's own socket, at that path."""
    runner = web.AppRunner(local_application(api_routes(board, desk), []), shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield
    finally:
        await runner.cleanup()


assert set(line(1, "")) == set(Line.__dataclass_fields__)
