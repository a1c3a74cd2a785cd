"""Queries and commands without a database, as the API and the console have them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web

from deployd.access.directory import Directory
from deployd.access.errors import NotFound
from deployd.access.roles import Role
from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.line import Line
from deployd.activity.log import PhaseNow
from deployd.activity.timeline import Bar, PhaseBar, Timeline
from deployd.api.applications import local_application
from deployd.api.asked import Api
from deployd.api.changes import Changes
from deployd.commands.audit import AuditCommands
from deployd.commands.commands import Commands
from deployd.commands.crons import CronWantedShape
from deployd.commands.locks import LockedShape
from deployd.commands.passes import PassShape
from deployd.commands.people import PeopleCommands
from deployd.commands.repeats import RepeatCommands
from deployd.ids import ActivityId, CommitId
from deployd.output.sources import OutputFilter
from deployd.queries.activities import ActivityShape
from deployd.queries.audit import AuditQueries, DeedShape
from deployd.queries.certificates import CertificateShape
from deployd.queries.compare import DifferenceShape, SectionShape
from deployd.queries.comparisons import CommitShape, ComparisonShape, FileChangeShape, SideShape, SlugFilesShape
from deployd.queries.crons import CronRunShape, CronShape
from deployd.queries.environments import EnvironmentShape, LockShape
from deployd.queries.figures import Figures
from deployd.queries.forecasts import ForecastKind, ForecastShape
from deployd.queries.host import (
    DiskForecastShape,
    DiskKindShape,
    DiskShape,
    HostShape,
    LoopShape,
    SlotsShape,
    reason_shape,
    soonest,
)
from deployd.queries.housekeeping import CollectShape, ThingShape
from deployd.queries.journal import EntryShape
from deployd.queries.mails import MailShape
from deployd.queries.operations import OperationShape
from deployd.queries.parts import (
    ApplicationShape,
    InstanceShape,
    MountShape,
    PartsShape,
    RelationshipShape,
    RouteShape,
    ServiceShape,
    VariableShape,
)
from deployd.queries.people import PeopleQueries
from deployd.queries.plans import PlanShape
from deployd.queries.projects import ProjectShape
from deployd.queries.queries import Queries
from deployd.queries.runs import Run
from deployd.queries.source_operations import SourceOperationShape
from deployd.queries.ssh import SshKeyShape, SshShape
from deployd.queries.status import StatusShape
from deployd.queries.stays import StayShape
from deployd.queries.traffic import Held, HeldShape, PointShape, TrafficShape
from deployd.queries.usage import UseShape
from deployd.queries.versions import NothingLive, VersionShape
from deployd.reading.plan_body import parse_plan_body
from deployd.router.table import RouterStatus
from deployd.state.sessions import Session
from deployd.upkeep.traffic import Visits
from deployd.upkeep.traffic_history import History, Point
from tests.doubles.store import MemoryStore
from tests.doubles.tickets import FakeTickets
from tests.doubles.variables import FakeVariables

MAIL = "From: a@shop.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nEs grüßt\r\nder Laden\r\n".encode()
AT = "2026-05-04T10:00:00+00:00"


class FixedClock:
    def now(self) -> datetime:
        return datetime.fromisoformat(AT)


COLLECTED = CollectShape(at=AT, size_bytes=7_600_000, disk_is_short=False, things=(
    ThingShape(kind="data", name="shop/old-abc", why="its environment was deleted", size_bytes=7_600_000,
               unneeded_since=AT),
))

DISK = DiskShape(
    total_bytes=100_000_000_000, free_bytes=40_000_000_000, needed_bytes=1_000_000_000, counted_at=AT,
    kinds=(DiskKindShape(kind="slug", size_bytes=20_000_000_000, uncounted=0, elsewhere=False),
           DiskKindShape(kind="volume", size_bytes=5_000_000_000, uncounted=1, elsewhere=True),
           DiskKindShape(kind="other", size_bytes=40_000_000_000, uncounted=0, elsewhere=False)),
    forecast=DiskForecastShape(from_days=6.5, bytes_a_day=2_000_000_000, full_at="2026-05-24T10:00:00+00:00"),
)


def comparison(*, with_files: bool = False, text: str = "Mend the door") -> ComparisonShape:
    sides = [SideShape(
        side=f"shop/main-bvxea6i@{number}", project="shop", environment="main-bvxea6i", branch="main", activity=number,
        live=number == 2, commit=str(number) * 40, subject=text, author="Ada",
    ) for number in (1, 2)]
    changes = {
        "services": DifferenceShape(name="db", change="changed", before="mariadb:10.6", after="mariadb:11.8", why=()),
        "variables": DifferenceShape(
            name="app: TOKEN", change="changed", before="", after="", why=("its value differs",),
        ),
        "slugs": DifferenceShape(name="app", change="changed", before="aaaa", after="bbbb", why=()),
    }
    file = FileChangeShape(change="changed", path=f"src/{text}.php", before_bytes=1000, after_bytes=1200)
    slug = SlugFilesShape(app="app", added=0, changed=1, removed=0, grown_bytes=200, files=(file,), unread=0, why="")
    diff = ("diff --git a/.platform.app.yaml b/.platform.app.yaml", "@@ -1 +1 @@", "-name: a", f"+name: {text}")
    return ComparisonShape(
        a=sides[0], b=sides[1], relation="later", commits_added_count=70, commits_removed=(), commits_removed_count=0,
        commits_added=(CommitShape(commit="2" * 40, subject=text, author="Ada", at=AT),), configuration_more=3,
        sections=tuple(SectionShape(of=of, changes=(change,), same=2) for of, change in changes.items()),
        configuration=diff, notes=(), files=(slug,) if with_files else (),
    )


def deed(number: int, project: str = "shop", **more: Any) -> DeedShape:
    values: dict[str, Any] = {
        "at": AT, "who": "ada", "by": "console", "address": "203.0.113.9", "action": "redeploy",
        "environment": "main-bvxea6i", "said": "", "result": "done", "hash": "00", **more,
    }
    return DeedShape(number=number, project=project, **values)


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
        "commit": "48c43b99", "subject": "Mend the door", "author": "Ada", "activity": 1, "since": AT, **more,
    }
    return EnvironmentShape(project=project, branch=branch, **values)


def certificate(host: str, project: str, **more: Any) -> CertificateShape:
    values: dict[str, Any] = {"kind": "acme", "state": "valid", "ends": AT, "why": "", "again_at": "", **more}
    return CertificateShape(host=host, project=project, **values)


def mail(number: int = 1, **more: Any) -> MailShape:
    values: dict[str, Any] = {
        "at": AT, "sender": "a@shop.test", "recipients": ("b@c.test",), "subject": "Hello", "size_bytes": len(MAIL),
        "state": "kept", "why": "", "tries": 0, "again_at": "", **more,
    }
    return MailShape(id=number, **values)


def use(name: str, at: str = AT, **more: Any) -> UseShape:
    values: dict[str, Any] = {
        "project": "shop", "environment": "main-bvxea6i", "kind": "app", "containers": 1, "cpu_seconds": 2.5,
        "memory_bytes": 100, "memory_limit_bytes": None, "restarts": 0, "kills": 0, "killed_at": "",
        "disk_bytes": None, **more,
    }
    return UseShape(name=name, at=at, **values)


def version(number: int, *, live: bool = False, **more: Any) -> VersionShape:
    values: dict[str, Any] = {
        "kind": "push", "commit": f"{number:040x}", "subject": f"change {number}", "author": "Ada", "who": "ada",
        "how": "git", "since": AT, "seconds": 12.5, **more,
    }
    return VersionShape(activity=number, live=live, **values)


PARTS = PartsShape(
    project="shop", environment="main-bvxea6i", activity=3,
    routes=(RouteShape(url="https://shop.test/", type="upstream", upstream="app", to="", primary=True),
            RouteShape(url="http://shop.test/", type="redirect", upstream="", to="https://shop.test/", primary=False)),
    applications=(ApplicationShape(
        name="app", type="php:8.4",
        web=InstanceShape(
            name="app", relationships=(RelationshipShape(name="database", target="db", endpoint="mysql"),),
            mounts=(MountShape(path="var", source="local", service=""),),
        ),
        workers=(InstanceShape(name="app--mailer", relationships=(), mounts=()),),
        variables=(VariableShape(name="LEVEL", value="<b>one</b>", of="project"),
                   VariableShape(name="API_TOKEN", value=None, of="environment")),
    ),),
    services=(ServiceShape(name="db", type="mariadb:11.8"),),
)


def line(number: int, text: str, kind: str = "line", **more: Any) -> dict[str, Any]:
    values = {"at": AT, "phase": "build", "app": "", "where": "", "more": [], "colours": [], **more}
    return {"number": number, "kind": kind, "text": text, **values}


def ending(number: int, state: str = "success") -> dict[str, Any]:
    return line(number, f"push of main: {state}", "end", where=state)


class FakeLines:
    """A log that grows: what is there, then what the test adds; a break stands for a daemon that stops."""

    def __init__(self, queries: FakeQueries, number: int, after: int) -> None:
        self._board, self._number, self._after = queries, number, after

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

    def __init__(self, queries: FakeQueries, start: str) -> None:
        self._board, self._start = queries, start

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
class FakeQueries:
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
    deeds: list[DeedShape] = field(default_factory=list)
    """Newest first."""
    asked_output: list[tuple[OutputFilter, str, int | None]] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    """What was to be done, planned or collected."""
    plan_lines: list[str] = field(default_factory=lambda: ["app: build (no slug yet)"])
    tickets: FakeTickets = field(default_factory=FakeTickets)
    variables: FakeVariables = field(default_factory=FakeVariables)

    @cached_property
    def store(self) -> MemoryStore:
        """Of what is written for real: who changed what, and answers that are kept."""
        return MemoryStore()

    @cached_property
    def directory(self) -> Directory:
        return Directory((), FixedClock().now)

    @property
    def audit(self) -> AuditQueries:
        return AuditQueries(cast(Any, self.store))

    @property
    def by_noun(self) -> Queries:
        nouns: dict[str, Any] = {
            "projects": {"all": self.projects},
            "environments": {"all": self.environments, "addresses": self.addresses},
            "versions": {"all": self.versions},
            "forecasts": {"of": self.forecast},
            "parts": {"of": self.parts_of},
            "crons": {"all": self.crons, "runs": self.cron_runs},
            "comparisons": {"of": self.comparison},
            "activities": {"latest": self.activities, "newest": self.newest, "find": self.activity,
                           "journal": self.journal, "log": self.log},
            "runs": {"phase": lambda number: None, "find": self.run},
            "logs": {},
            "audit": {
                "newest": self.newest_deeds if self.deeds else self.audit.newest, "head": self.audit.head,
                "check": self.audit.check,
            },
            "status": {"now": self.status, "not_ready": self.not_ready},
            "host": {"now": self.host},
            "figures": {"now": self.figures},
            "certificates": {"all": self.certificates},
            "ssh": {"now": self.ssh}, "stays": {"all": self.stays},
            "usage": {"now": self.uses},
            "traffic": {"of": self.traffic_of, "history": self.history},
            "access_logs": {"follow": self.access_log},
            "output": {"follow": self.output, "names": self.printers},
            "mails": {"all": self.mails, "message": self.message},
            "housekeeping": {"collectable": self.collectable},
            "plans": {"of_push": self.plan},
            "operations": {"all": self.operations}, "source_operations": {"all": self.source_operations},
        }
        people = PeopleQueries(self.directory, FixedClock().now)
        made = {noun: cast(Any, SimpleNamespace(**asked)) for noun, asked in nouns.items()}
        return Queries(
            **made, people=people, tickets=cast(Any, self.tickets), variables=cast(Any, self.variables),
        )

    async def operations(self, project: str, environment: str) -> list[OperationShape]:
        return [OperationShape(app="app", name="clear", role="viewer", start="bin/clear all\nbin/warm", stop="bin/stop",
                               timeout_seconds=3600)]

    async def source_operations(self, project: str, environment: str) -> list[SourceOperationShape]:
        return [SourceOperationShape(name="update", commands={"app": "npm update"}, pushes_to="deployd", refused="")]

    async def status(self, *, with_environments: bool, with_names: bool) -> StatusShape:
        status = StatusShape(
            version="0.1.0", state="degraded" if self.reasons else "ok", reasons=self._shown(with_names),
            uptime_seconds=60, activities={"pending": 1, "in_progress": 2, "failed_last_hour": 3},
            engine={"reachable": True, "version": "20.10"}, router={"reachable": True, "held_now": 7},
            disk={"free_mb": 5000, "needed_mb": 1024},
            collected={"at": "2026-05-04T10:00:00+00:00", "things": {"log": 5, "slug": 2}, "size_bytes": 61_440_000},
        )
        return replace(status, environments=tuple(await self.environments())) if with_environments else status

    def _shown(self, with_names: bool) -> tuple[str, ...]:
        return self.reasons if with_names else tuple("a reason without names" for _ in self.reasons)

    async def host(self, projects: Sequence[str] | None, *, with_collectable: bool) -> HostShape:
        status, whole = await self.status(with_environments=False, with_names=projects is None), projects is None
        return HostShape(
            version="0.1.0", state=status.state, uptime_seconds=7200, reasons=tuple(map(reason_shape, status.reasons)),
            slots=(SlotsShape(kind="builds", taken=1, total=2, waiting=3),),
            waiting=tuple(item for item in self.known if item.waits and (whole or item.project in (projects or ()))),
            certificates=soonest(item for item in self.hosts if whole or item.project in (projects or ())),
            disk=DISK if whole else None, collectable=COLLECTED if whole and with_collectable else None,
            loops=(LoopShape(name="crons", failures=7, failing=1),) if whole else (),
        )

    async def comparison(
        self, a: str, b: str, may_see: Callable[[str], bool], *, with_files: bool,
    ) -> ComparisonShape:
        for side in (a, b):
            if not may_see(side.partition("/")[0]):
                raise NotFound(f"there is no project {side.partition('/')[0]}")
        self.asked.append(("compare", a, b, with_files))
        return comparison(with_files=with_files)

    async def newest_deeds(
        self, projects: Sequence[str] | None, *, before: int | None = None, limit: int = 50,
    ) -> list[DeedShape]:
        return [item for item in self.deeds if (projects is None or item.project in projects)
                and (before is None or item.number < before)][:limit]

    async def not_ready(self) -> tuple[str, ...]:
        return self.reasons

    async def projects(self) -> list[ProjectShape]:
        if self.bug:
            raise self.bug
        return [
            ProjectShape(id=name, title=title, default_branch="main", remote="",
                         git=f"http://127.0.0.1:8480/git/{name}.git", ssh="", environments=1)
            for name, title in self.titles.items()
        ]

    async def environments(self, project: str | None = None) -> list[EnvironmentShape]:
        return [item for item in self.running if project in (None, item.project)]

    async def addresses(self, project: str, environment: str) -> list[str]:
        return self.routes.get(environment, [])

    async def versions(self, project: str, environment: str) -> list[VersionShape]:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing")
        return [version(3, live=True), version(1)]

    async def forecast(
        self, kind: ForecastKind, project: str, environment: str, to: int | None = None,
    ) -> ForecastShape:
        return ForecastShape(
            kind=kind, project=project, environment="main-bvxea6i", branch="main", type="production",
            before=version(3, live=True), after=None if kind == "delete" else version(to or 1), same_code=False,
            same_configuration=True, lines=("app: reuse (built before with the same input)",), refused=(),
            data="stays as it is", locks=kind == "rollback", last_seconds=12.5, newest=3,
        )

    async def parts_of(self, project: str, environment: str) -> PartsShape:
        return PARTS

    async def traffic_of(self, project: str, environment: str, span: str) -> TrafficShape:
        point = PointShape(at=AT, classes={"2xx": 3}, median_seconds=0.01, slow_seconds=0.5)
        held = HeldShape(activity=3, kind="push", began=AT, ended="", held=2, longest_seconds=1.5)
        return TrafficShape(span=span, slot_seconds=60, points=(point,), freezes=(held,))

    async def history(self, project: str, environment: str, span: str) -> tuple[list[Point], list[Held]]:
        history, now = History(), datetime.fromisoformat(AT)
        for status in (200, 200, 404, 502):
            history.count(now.timestamp(), status, 0.2)
        return history.points(span, now.timestamp()), [Held(ActivityId(3), "push", now, now, 2, 1.5)]

    async def crons(self, project: str, environment: str) -> list[CronShape]:
        (last, *_) = await self.cron_runs(project, environment, "app", "tidy", 1)
        return [CronShape(app="app", name="tidy", spec="*/5 * * * *", timezone="", start="rm <all>", next_due=AT,
                          state="idle", last=last)]

    async def cron_runs(
        self, project: str, environment: str, app: str, cron: str, limit: int,
    ) -> list[CronRunShape]:
        return [CronRunShape(app=app, cron=cron, due=AT, ended=AT, seconds=1.5, state="failed", status=3,
                             said="", version=3, who="ada", output=("gone", "<b>wrong</b>"))]

    async def printers(self, project: str, environment: str) -> list[tuple[str, str]]:
        return [("app", "app"), ("service", "db")]

    async def newest(self) -> list[ActivityShape]:
        return list({(item.project, item.environment): item for item in sorted(self.known, key=lambda item: item.id)}
                    .values())

    async def stays(self, projects: Sequence[str] | None = None) -> list[StayShape]:
        stay = StayShape(project="shop", environment="main-bvxea6i", part="app", activity=3, kind="shell", who="ada",
                         key="laptop", address="192.0.2.7", said="", since=AT)
        return [stay] if projects is None or "shop" in projects else []

    async def ssh(self, *, whole: bool) -> SshShape:
        key = SshKeyShape(type="ssh-ed25519", fingerprint="SHA256:abc", known_hosts="[deploy.test] ssh-ed25519 A")
        return SshShape(host="deploy.test", port=2222, state="listening", why="", keys=(key,), connections=1,
                        sessions=2, handshakes=0, evicted=0)

    def certificates(self) -> list[CertificateShape]:
        return list(self.hosts)

    async def activities(
        self, projects: Sequence[str] | None, environment: str | None, state: str | None, limit: int, *,
        before: int | None = None,
    ) -> list[ActivityShape]:
        found = [item for item in sorted(self.known, key=lambda item: -item.id)
                 if (projects is None or item.project in projects)
                 and environment in (None, item.environment, item.branch) and state in (None, item.state)
                 and (before is None or item.id < before)]
        return found[:limit]

    async def activity(self, number: int) -> ActivityShape | None:
        return next((item for item in self.known if item.id == number), None)

    async def journal(self, number: int) -> list[EntryShape]:
        return [EntryShape(step="build_apps", event=event, at=AT, said="") for event in ("started", "done")]

    async def run(self, number: int) -> Run:
        now = datetime.fromisoformat(AT)
        bars = (Bar("build", "build_apps", now, now + timedelta(seconds=2), "done"),)
        timeline = Timeline((PhaseBar("build", bars),))
        return Run(
            timeline=timeline, earlier=(timeline,), phase=PhaseNow("build", now), plan=("app: build (no slug yet)",),
            urls=("http://shop.test/",), commit=CommitId("48c43b99" * 5), subject="Mend the door", author="Ada",
            before=None, before_by=None, to=None, freeze=None, stuck=False, bad=None, now=now,
        )

    def log(self, number: int, after: int) -> FakeLines:
        return FakeLines(self, number, after)

    async def figures(self) -> Figures:
        visits = {name: Visits() for name in ("shop/main-bvxea6i", "blog/main-bvxea6i")}
        visits["shop/main-bvxea6i"].count(200, 0.03)
        return Figures(visits=visits, router=self.router, slots={"builds": (1, 2)})

    async def uses(self, project: str | None, environment: str | None) -> list[UseShape]:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing")
        self.asked_uses.append((project, environment))
        return [item for item in self.used[min(len(self.asked_uses), len(self.used)) - 1]
                if project in (None, item.project)]

    async def output(
        self, project: str, environment: str, wanted: OutputFilter, *, start: str, lines: int | None,
    ) -> FakeOutput:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing", hint="`deployd environments`")
        self.asked_output.append((wanted, start, lines))
        return FakeOutput(self, start)

    async def access_log(self, project: str, environment: str, lines: int) -> FakeLines:
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing", hint="`deployd environments`")
        return FakeLines(self, 0, max(-1, len(self.logs.get(0, [])) - lines - 1))

    async def mails(self, project: str, environment: str) -> list[MailShape]:
        if self.mailed is not None:
            return self.mailed
        return [mail()]

    async def message(self, project: str, environment: str, number: int) -> bytes:
        if number != 1:
            raise NotFound(f"there is no mail {number} in the box of {project}/{environment}")
        return MAIL

    async def collectable(self, *, deleted: bool) -> CollectShape:
        self.asked.append(("collectable", deleted))
        return COLLECTED

    async def plan(self, project: str, body: bytes) -> PlanShape:
        offered = parse_plan_body(body)
        self.asked.append(("plan", project, offered.branch, offered))
        return PlanShape(project=project, branch=offered.branch, lines=tuple(self.plan_lines))


@dataclass
class FakeCommands:
    queries: FakeQueries
    log: list[dict[str, Any]] = field(default_factory=list)
    """What an activity that is made here says."""
    refusal: Exception | None = None

    @property
    def asked(self) -> list[tuple[Any, ...]]:
        return self.queries.asked

    @property
    def by_noun(self) -> Commands:
        store = cast(Any, self.queries.store)
        audited, repeated = AuditCommands(store, FixedClock()), RepeatCommands(store, FixedClock())
        nouns: dict[str, Any] = {
            "environments": {
                "redeploy": self.redeploy, "push_again": self.push_again, "rollback": self.rollback,
                "delete": self.delete,
            },
            "rests": {"activate": self.activate, "deactivate": self.deactivate, "pause": self.pause,
                      "wake": self.wake},
            "descriptions": {"describe": self.describe},
            "crons": {"run": self.run_cron},
            "locks": {"lock": self.lock, "unlock": self.unlock},
            "passes": {"make": self.make_pass},
            "operations": {"run": self.run_operation}, "source_operations": {"run": self.run_source_operation},
            "activities": {"cancel": self.cancel, "retry_undo": self.retry_undo, "skip_undo": self.skip_undo},
            "housekeeping": {"collect": self.collect},
            "sessions": {"of": self.sessions, "end": self.end_session},
            "audit": {"noting": audited.noting, "note": audited.note}, "repeats": {"once": repeated.once},
        }
        made = {noun: cast(Any, SimpleNamespace(**done)) for noun, done in nouns.items()}
        return Commands(
            **made, people=self.people, tickets=cast(Any, self.queries.tickets),
            variables=cast(Any, self.queries.variables),
        )

    @cached_property
    def people(self) -> PeopleCommands:
        projects: Any = dict.fromkeys(("shop", "blog"))
        return PeopleCommands(cast(Any, self.queries.store), self.queries.directory, FixedClock(), projects)

    async def run_source_operation(self, project: str, environment: str, name: str, who: str) -> ActivityShape:
        self.asked.append(("source operation", project, environment, name, who))
        return await self.redeploy(project, environment, who)

    async def run_operation(
        self, project: str, environment: str, name: str, app: str | None, who: str, role: Role | None,
    ) -> ActivityShape:
        self.asked.append(("operation", project, environment, name, app, who, role))
        return await self.redeploy(project, environment, who)

    async def redeploy(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        self.asked.append(("redeploy", project, environment, who, *([] if seen is None else [seen])))
        return self._made(project, environment, "redeploy")

    async def push_again(
        self, project: str, environment: str, push: int, who: str, *, seen: int | None = None,
    ) -> ActivityShape:
        self.asked.append(("push again", project, environment, push, who, *([] if seen is None else [seen])))
        return self._made(project, environment, "push")

    async def delete(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        self.asked.append(("delete", project, environment, who, *([] if seen is None else [seen])))
        return self._made(project, environment, "delete")

    async def _rest(self, kind: str, project: str, environment: str, who: str, seen: int | None) -> ActivityShape:
        self.asked.append((kind, project, environment, who, *([] if seen is None else [seen])))
        return self._made(project, environment, kind)

    async def activate(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        return await self._rest("activate", project, environment, who, seen)

    async def deactivate(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        return await self._rest("deactivate", project, environment, who, seen)

    async def pause(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        return await self._rest("pause", project, environment, who, seen)

    async def wake(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        return await self._rest("wake", project, environment, who, seen)

    async def describe(
        self, project: str, environment: str, *, title: str | None = None, parent: str | None = None,
    ) -> EnvironmentShape:
        self.asked.append(("describe", project, environment, title, parent))
        found = (await self.queries.by_noun.environments.all("shop"))[0]
        return replace(found, title=title or "", parent=parent or "")

    async def lock(
        self, project: str, environment: str, reason: str, who: str, *, until: datetime | None = None,
    ) -> LockedShape:
        self.asked.append(("lock", project, environment, reason, who, *([] if until is None else [until])))
        return LockedShape(
            project=project, environment="main-bvxea6i", branch=environment,
            lock=LockShape(who=who, reason=reason, since=AT), activities=(3,),
        )

    async def unlock(self, project: str, environment: str, who: str) -> LockedShape:
        self.asked.append(("unlock", project, environment, who))
        return LockedShape(
            project=project, environment="main-bvxea6i", branch=environment, lock=None, activities=(4,),
        )

    async def rollback(
        self, project: str, environment: str, to: int | None, who: str, *, lock: bool | None = None,
        seen: int | None = None,
    ) -> ActivityShape:
        more = [value for value in (lock, seen) if value is not None]
        self.asked.append(("rollback", project, environment, to, who, *more))
        if to == 99:
            raise NothingLive("main has no version 99 to go back to", hint="versions that were live: 1")
        return self._made(project, environment, "rollback")

    async def run_cron(
        self, project: str, environment: str, app: str, cron: str, who: str,
    ) -> CronWantedShape:
        self.asked.append(("run cron", project, environment, app, cron, who))
        return CronWantedShape(project=project, environment="main-bvxea6i", app=app, cron=cron, due=AT)

    async def make_pass(self, project: str, environment: str, who: str) -> PassShape:
        self.asked.append(("pass", project, environment, who))
        return PassShape(links=(f"http://{project}.test/pass?1.f",), ends=AT)

    async def cancel(self, activity: int, who: str) -> ActivityShape:
        self.asked.append(("cancel", activity, who))
        found = await self.queries.activity(activity)
        assert found is not None
        return found

    async def retry_undo(self, activity: int) -> ActivityShape:
        self.asked.append(("retry_undo", activity))
        found = await self.queries.activity(activity)
        assert found is not None
        return found

    async def skip_undo(self, activity: int, who: str) -> ActivityShape:
        self.asked.append(("skip_undo", activity, who))
        found = await self.queries.activity(activity)
        assert found is not None
        return found

    def sessions(self, token: str) -> list[Session]:
        now = datetime.fromisoformat(AT)
        return [Session(id="5" * 64, token=token, proof="p", began=now, seen=now, ends=now, address="192.0.2.7",
                        agent="Firefox")]

    async def end_session(self, session: str, token: str) -> Session:
        self.asked.append(("end_session", session, token))
        return self.sessions(token)[0]

    async def collect(self, who: str, *, deleted: bool) -> CollectShape:
        self.asked.append(("collect", who, deleted))
        return COLLECTED

    def _made(self, project: str, environment: str, kind: str) -> ActivityShape:
        if self.refusal:
            raise self.refusal
        if environment == "nothing":
            raise NotFound(f"the project {project} has no environment nothing", hint="`deployd environments`")
        made = activity(len(self.queries.known) + 1, project, kind=kind, state="pending")
        ended = self.log[-1]["where"] if self.log and self.log[-1]["kind"] == "end" else ""
        self.queries.known.append(replace(made, state=ended, ended_at=AT) if ended else made)
        self.queries.logs[made.id] = self.log
        return made


def api_of(queries: FakeQueries, commands: FakeCommands) -> Api:
    found = queries.by_noun
    return Api(found, commands.by_noun, Changes(found, ErrorBoundary("events")))


@asynccontextmanager
async def open_fake_daemon(socket: Path, queries: FakeQueries, commands: FakeCommands) -> AsyncIterator[None]:
    """The application of the daemon's own socket, at that path."""
    runner = web.AppRunner(local_application(api_of(queries, commands), []), shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield
    finally:
        await runner.cleanup()


assert set(line(1, "")) == set(Line.__dataclass_fields__)
