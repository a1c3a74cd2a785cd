"""Tickets over a database in memory: all is real but git, Docker and the clock. History is a line: 1 ◄ 2 ◄ 3 …"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from deployd.access.directory import Directory
from deployd.activity.journal import read_result, write_result
from deployd.activity.lanes import Lanes
from deployd.commands.tickets import Asking, TicketCommands
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Request, Requests
from deployd.environment.naming import Source
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId, SlugKey
from deployd.plan import KeyParts
from deployd.promotion.gate import Verdict
from deployd.promotion.offer import Brief, Offer, Offered, OfferedApp
from deployd.promotion.people import Person
from deployd.queries.ticket_shapes import TicketShape
from deployd.queries.tickets import TicketQueries
from deployd.release.tickets import ask_gate
from deployd.release.version import AppVersion, Version
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments
from deployd.state.activities import Activity, Trigger
from deployd.upkeep.tickets import Tickets
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)   # a Monday
SHOP = ProjectId("shop")
ADA, BOB, EVE = Person("ada", "ada"), Person("bob", "bob"), Person("eve", "eve")
BY_STAGES = {"staging": {"protected": True}, "production": {"protected": {"source": "staging", "approvals": 1}}}


def commit(number: int) -> CommitId:
    return CommitId(str(number) * 40)


class TicketsWorld:
    def __init__(self, protected: Mapping[str, Any] | None = None) -> None:
        self.store = MemoryStore()
        self.tips = {"main": 3, "feature": 9}
        self.fetched = 0
        self.now_ = NOW
        self.protect(protected if protected is not None else {"production": {"protected": {"approvals": 1}}})

    def protect(self, environments_: Mapping[str, Any]) -> None:
        """The daemon has read its settings anew."""
        store, clock = cast(Any, self.store), cast(Any, SimpleNamespace(now=lambda: self.now_))
        self.settings = Settings.model_validate({"projects": {"shop": {
            "production_branch": "production", "environments": environments_,
        }}})
        self.project: ProjectSettings = self.settings.projects[SHOP]
        self.host = cast(Any, SimpleNamespace(settings=self.settings, facts=self, code=self, clock=clock))
        self.woken = 0
        self.lanes = Lanes(store, cast(Any, None), clock)
        self.requests = Requests(store, self.settings, clock, self._wake)
        self.queries = TicketQueries(store, self.host, cast(Any, self))
        self.commands = TicketCommands(
            store, self.host, self.lanes, self.requests, self.queries, Directory((), clock.now),
        )
        self.rounds = Tickets(store, self.host, clock, self.lanes, self.requests)

    def _wake(self) -> None:
        self.woken += 1

    def later(self, **span: float) -> None:
        self.now_ += timedelta(**span)

    async def fetch(self, project: ProjectSettings) -> None:
        self.fetched += 1

    async def tip(self, project: ProjectId, branch: str) -> CommitId | None:
        return commit(self.tips[branch]) if branch in self.tips else None

    async def find_commit(self, project: ProjectId, written: str) -> CommitId | None:
        return CommitId(written[0] * 40) if written[0].isdecimal() and len(set(written)) == 1 else None

    async def holds(self, project: ProjectId, older: CommitId, newer: CommitId) -> bool:
        return older[0] <= newer[0]

    async def contains(self, project: ProjectId, branch: str, wanted: CommitId) -> bool:
        tip = await self.tip(project, branch)
        return tip is not None and wanted[0] <= tip[0]

    async def live(self, environment: EnvironmentId) -> Version | None:
        text = await self.store.read(lambda db: environments.live_version(db, environment))
        return read_result(text, Version) if text else None

    async def is_live(self, branch: str, number: int) -> None:
        """A version of a branch's environment is live from now on."""
        made = await self.push(branch, number)
        await self.store.write(lambda db: activities.begin(db, made, self.now_))
        await self.end(made, "success")

    async def push(self, branch: str, number: int, who: str = "ada", how: str = "git") -> ActivityId:
        """What a push makes, over whatever it came."""
        request = Request(KINDS["push"], Source(SHOP, branch).environment, branch, commit(number), Trigger(who, how))
        made: ActivityId = await self.requests.write(lambda db: self.requests.ask_for(db, request))
        return made

    async def promote(self, by: Person = ADA, source: str = "", to: str = "production", **more: Any) -> TicketShape:
        return await self.commands.promote("shop", to, source, Asking(by=by, **more))

    async def activity(self, number: int) -> Activity:
        found: Activity = await self.store.read(lambda db: activities.find(db, ActivityId(number)))
        return found

    async def ticket(self, number: int) -> TicketShape:
        found = await self.queries.find(number)
        assert found is not None
        return found

    async def ticket_of(self, activity: ActivityId) -> TicketShape:
        found = await self.queries.latest(None, None, is_open=None, limit=50)
        return next(item for item in found if activity in [stage.activity for stage in item.stages])

    async def comes_to_gate(
        self, number: int, *, running: str = "r", authors: tuple[str, ...] = (), moved_to: int | None = None,
    ) -> Verdict:
        """What the lane does with an activity that is not held: it is built, and the gate is asked.

        Args:
            moved_to: Where the branch of a remote is by now.
        """
        activity = await self.activity(number)
        assert not activity.held
        assert await self.store.write(lambda db: activities.begin(db, activity.id, self.now_))
        wanted = commit(moved_to) if moved_to is not None else activity.commit or commit(0)
        source = self.project.source_of(activity.branch)
        if self.project.protection_of(source) is None:
            contained = await self.contains(SHOP, source, wanted)
        else:
            there = await self.live(Source(SHOP, source).environment)
            contained = there is not None and there.commit >= wanted
        before = await self.live(activity.environment)
        offer = Offer(Offered(
            environment=activity.environment.name, commit=wanted, before=before.commit if before else "",
            apps=(OfferedApp("app", wanted, running, "image"),), services=(), routes=(), deploy_hook=False,
            is_rolling=False,
        ), Brief(subject="Mend the door", authors=authors))
        verdict: Verdict = await self.store.write(lambda db: ask_gate(
            db, self.project, activity, offer, is_contained=contained, now=self.now_,
        ))
        if not verdict.is_open:
            await self.store.write(lambda db: activities.hold(db, activity.id, verdict.said))
        return verdict

    async def end(self, number: int, state: activities.State) -> None:
        """The deployment is over; what it made is live when it went well."""
        activity = await self.activity(number)
        app = AppVersion("app", SlugKey(activity.commit or ""), "t", "i", KeyParts("t", "s", "v", "i", "r"), "r")
        version = Version(activity.id, activity.commit or commit(0), (app,), (), ())

        def end(db: Any) -> None:
            environments.ensure(db, activity.environment, activity.branch, self.now_)
            if state == "success":
                environments.set_live(db, activity.environment, activity.id, write_result(version), self.now_)
            activities.finish(db, activity.id, state, "" if state == "success" else "it broke", self.now_)

        await self.store.write(end)
