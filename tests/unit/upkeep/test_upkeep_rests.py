"""Who is paused because nobody comes, who is woken because somebody does, and what rests meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.access.caller import Caller, roles_of
from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.executor import Executor
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.deployment.wake import quiet_seconds
from deployd.errors import DeployError
from deployd.ids import EnvironmentId, EnvironmentName
from deployd.inside.targets import NotOpen, Targets
from deployd.router.table import Sleepers
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments, locks, rests, stays
from deployd.state.activities import Activity
from deployd.state.locks import Lock
from deployd.state.stays import Stay
from deployd.upkeep.collect.merged import ask_for_end, find_merged
from deployd.upkeep.idle import Idle
from deployd.upkeep.ownership import Owner, read_live, read_ownership, read_paused
from deployd.upkeep.visits import is_visit
from deployd.upkeep.wakes import Wakes
from tests.doubles.engine import EngineDouble
from tests.support.upkeep_stand import BASE, KEY, SHOP, Stand

pytestmark = pytest.mark.looptime
OTHER_MAIN = ProjectSettings(id=SHOP, default_branch="trunk", pause_after_minutes=30)
"""So that `main` of the stand is no default branch, nor production."""


def line(method: str = "GET", path: str = "/", agent: str = "Mozilla/5.0 Firefox/140.0") -> bytes:
    return json.dumps({"method": method, "path": path, "user_agent": agent}).encode()


@pytest.mark.parametrize(("status", "text", "counts"), [
    (200, line(), True), (500, line(), True), (503, line("POST", "/cart"), True), (200, line(agent=""), True),
    (401, line(), False), (403, line(), False), (429, line(), False), (200, line("HEAD"), False),
    (204, line("OPTIONS"), False), (200, line(path="/robots.txt?a=1"), False), (200, line(path="/robots.txt2"), True),
    (200, line(agent="Googlebot/2.1 (+http://www.google.com/bot.html)"), False),
    (200, line(agent="deployd health check"), False), (200, line(agent="x" * 300 + "bot"), True),
    (200, b'{"method":"GET","path"', False), (200, b"[]", False), (200, b"7", False),
])
def test_a_visit_is_of_somebody_who_wants_something(status: int, text: bytes, counts: bool) -> None:
    assert is_visit(status, text) is counts


class Connections(EngineDouble):
    """An engine in which so many requests are under way."""

    under_way = 0

    async def connections_to(self, *_: Any) -> int:
        return self.under_way


@dataclass
class World:
    """One environment, live since the base, in a project whose environments are paused after half an hour."""

    stand: Stand
    project: ProjectSettings = OTHER_MAIN
    engine: Connections = field(default_factory=Connections)
    collect: dict[str, Any] = field(default_factory=dict)
    merged: bool = True
    woken: int = 0

    def __post_init__(self) -> None:
        self.settings = Settings.model_validate({
            "instance": "test-upkeep", "projects": {SHOP: self.project}, "collect": self.collect})
        host = self.stand.host
        host.settings, host.engine, host.code = self.settings, self.engine, self
        self.host: Any = host
        store: Any = self.stand.store
        self.requests = Requests(store, self.settings, self.stand.clock, self._wake)
        self.idle = Idle(store, host, self.stand.clock, self.requests)

    def _wake(self) -> None:
        self.woken += 1

    async def tip(self, *_: Any) -> str:
        return "a" * 40

    async def contains(self, *_: Any) -> bool:
        return self.merged

    def kinds(self) -> list[str]:
        return [item.kind for item in reversed(activities.latest(self.stand.store.db))]

    def newest(self) -> Activity:
        return activities.latest(self.stand.store.db)[0]

    def later(self, **time: float) -> None:
        """Let all that is known be so much older."""
        db = self.stand.store.db
        before = timedelta(**time)
        dates = (("versions", "at"), ("environments", "created_at"), ("environments", "visited_at"),
                 ("activities", "created_at"), ("activities", "ended_at"))
        for table, column in dates:
            rows = db.execute(f"SELECT rowid AS row, {column} AS said FROM {table} WHERE {column} IS NOT NULL")
            for row in rows.fetchall():
                moved = (datetime.fromisoformat(row["said"]) - before).isoformat()
                db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (moved, row["row"]))

    def rest(self, rest: Any) -> None:
        rests.put(self.stand.store.db, KEY, rest, BASE)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., World]:
    return lambda **more: World(Stand(tmp_path), **more)


async def test_what_nobody_uses_is_paused_when_its_time_is_over_and_once(make: Callable[..., World]) -> None:
    world = make()
    world.later(minutes=29)
    await world.idle.look()
    assert world.kinds() == ["push"]
    world.later(minutes=1)
    await world.idle.look()
    await world.idle.look()
    assert world.kinds() == ["push", "pause"]
    assert (world.newest().trigger.who, world.woken) == ("deployd", 2)


async def test_a_visitor_keeps_it_awake_through_a_restart_of_the_daemon(make: Callable[..., World]) -> None:
    world = make()
    world.later(minutes=60)
    world.idle.visited(str(KEY))
    await world.idle.look()
    again = Idle(world.stand.store, world.host, world.stand.clock, world.requests)  # type: ignore[arg-type]
    await again.look()
    assert world.kinds() == ["push"]
    world.later(minutes=30)
    await again.look()
    assert world.kinds() == ["push", "pause"]


async def test_what_is_under_way_keeps_it_awake_and_what_was_just_woken(make: Callable[..., World]) -> None:
    world = make()
    world.engine.under_way = 1
    world.later(minutes=60)
    await world.idle.look()
    assert world.kinds() == ["push"]
    world.engine.under_way = 0
    world.stand.finish(world.stand.enqueue("wake"))
    activities.begin(world.stand.store.db, world.newest().id, world.stand.clock.now())
    activities.finish(world.stand.store.db, world.newest().id, "success", "", world.stand.clock.now())
    world.stand.store.db.execute("UPDATE environments SET visited_at = NULL")
    world.idle._visits.clear()
    await world.idle.look()
    assert world.kinds() == ["push", "wake"]


async def test_whoever_is_there_over_ssh_keeps_it_awake(make: Callable[..., World]) -> None:
    world = make()
    stay = Stay(
        id="a", environment=KEY, part="app", activity=world.newest().id, kind="shell", who="ada", by="laptop",
        address="192.0.2.7", connection="c", said="", began=BASE,
    )
    stays.add(world.stand.store.db, stay)
    world.later(minutes=60)
    await world.idle.look()
    assert world.kinds() == ["push"]
    stays.remove(world.stand.store.db, stay.id)
    await world.idle.look()
    world.later(minutes=60)
    await world.idle.look()
    assert world.kinds() == ["push", "pause"]


@pytest.mark.parametrize(("project", "pauses"), [
    (OTHER_MAIN.model_copy(update={"pause_after_minutes": None}), False),
    (OTHER_MAIN.model_copy(update={"pause_after_minutes": 0}), False),
    (OTHER_MAIN.model_copy(update={"default_branch": "main"}), False),
    (OTHER_MAIN.model_copy(update={"production_branch": "main"}), False),
    (ProjectSettings.model_validate({"id": SHOP, "environments": {"main": {"pause_after_minutes": 5}}}), True),
    (ProjectSettings.model_validate({
        "id": SHOP, "default_branch": "trunk", "pause_after_minutes": 5,
        "environments": {"main": {"pause_after_minutes": 0}},
    }), False),
], ids=["nowhere", "0", "default branch", "production", "production by name", "not this one"])
async def test_who_is_paused_says_the_nearest_setting_and_production_only_its_own(
    make: Callable[..., World], project: ProjectSettings, pauses: bool,
) -> None:
    world = make(project=project)
    world.later(days=30)
    await world.idle.look()
    assert ("pause" in world.kinds()) is pauses


@pytest.mark.parametrize("rest", ["paused", "inactive"])
async def test_what_rests_is_not_paused_and_nobody_looks_after_it(make: Callable[..., World], rest: str) -> None:
    world = make()
    world.later(days=30)
    world.rest(rest)
    await world.idle.look()
    assert world.kinds() == ["push"]
    store: Any = world.stand.store
    assert await read_live(store, world.settings, KEY) is None
    assert (await read_paused(store, world.settings, KEY) is not None) is (rest == "paused")
    assert environments.live_ones(world.stand.store.db) == []
    assert environments.live_versions(world.stand.store.db) == []


async def test_while_it_goes_to_rest_nobody_repairs_what_stops(make: Callable[..., World]) -> None:
    world = make()
    number = world.stand.enqueue("pause")
    activities.begin(world.stand.store.db, number, BASE)
    world.stand.journal(number, "close_environment", "started")
    at = await read_ownership(world.stand.store, KEY)  # type: ignore[arg-type]
    assert (at.owner, at.is_ending) == (Owner.DEPLOYMENT, True)


@dataclass
class News:
    """A router that says this, one after the other."""

    answers: list[Any]
    asked: list[int] = field(default_factory=list)

    async def sleepers(self, known: int) -> Sleepers:
        self.asked.append(known)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: Sleepers = answer
        return found


def wakes(world: World, *answers: Any) -> tuple[Wakes, News]:
    news = News(list(answers))
    return Wakes(news, world.settings, world.requests), news


async def test_a_crowd_wakes_what_is_paused_once(make: Callable[..., World]) -> None:
    world = make()
    world.rest("paused")
    daemon, news = wakes(world, Sleepers(1, (str(KEY),)), Sleepers(1, (str(KEY),)), Sleepers(2, (str(KEY),)))
    known = -1
    for _ in range(3):
        known = await daemon.hear(known)
    assert (world.kinds(), news.asked, known) == (["push", "wake"], [-1, 1, 1], 2)
    assert (world.newest().trigger.who, world.newest().trigger.how) == ("a visitor", "router")


async def test_who_comes_while_it_is_paused_wakes_it_after_that(make: Callable[..., World]) -> None:
    world = make()
    world.stand.enqueue("pause")
    daemon, _ = wakes(world, Sleepers(1, (str(KEY),)))
    await daemon.hear(-1)
    assert world.kinds() == ["push", "pause", "wake"]


@pytest.mark.parametrize("names", [("nobody/main-bvxea6p",), ("shop/gone",), ("",), ("no slash",)])
async def test_a_router_that_names_what_is_not_there_wakes_nobody(
    make: Callable[..., World], names: tuple[str, ...],
) -> None:
    world = make()
    daemon, _ = wakes(world, Sleepers(1, names))
    await daemon.hear(-1)
    assert world.kinds() == ["push"]


async def test_what_is_being_deleted_or_is_inactive_is_not_woken(make: Callable[..., World]) -> None:
    world = make()
    world.rest("inactive")
    daemon, _ = wakes(world, Sleepers(1, (str(KEY),)), Sleepers(2, (str(KEY),)))
    await daemon.hear(-1)
    world.rest("paused")
    world.stand.enqueue("delete")
    await daemon.hear(-1)
    assert world.kinds() == ["push", "delete"]


async def test_a_router_that_is_away_is_asked_anew_from_the_beginning(make: Callable[..., World]) -> None:
    daemon, news = wakes(make(), DeployError("away"), Sleepers(0, ()))
    assert await daemon.hear(await daemon.hear(5)) == 0
    assert news.asked == [5, -1]


@pytest.mark.parametrize(("failed", "seconds"), [(0, 10), (1, 20), (3, 80), (6, 600), (50, 600)])
def test_what_cannot_be_woken_is_left_alone_longer_and_longer(failed: int, seconds: float) -> None:
    assert quiet_seconds(failed) == seconds


def test_failed_wakes_are_counted_up_to_the_last_thing_that_went_well(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    for kind, state in (("wake", "failed"), ("push", "success"), ("wake", "failed"), ("wake", "cancelled"),
                        ("wake", "failed")):
        number = stand.enqueue(kind)
        activities.begin(stand.store.db, number, BASE)
        activities.finish(stand.store.db, number, state, "", BASE)  # type: ignore[arg-type]
    assert rests.failed_wakes(stand.store.db, KEY, 7) == 2
    assert rests.failed_wakes(stand.store.db, KEY, 1) == 1
    assert rests.failed_wakes(stand.store.db, EnvironmentId(SHOP, EnvironmentName("other")), 7) == 0


async def merged(world: World) -> list[tuple[str, str]]:
    store: Any = world.stand.store
    found = await find_merged(store, world.host, world.stand.clock.now(), ErrorBoundary("housekeeping"))
    return [(thing.name, thing.why) for thing in found]


async def test_a_merged_branch_that_nobody_uses_is_told_first_and_then_deactivated(make: Callable[..., World]) -> None:
    world = make(collect={"merged_days": 14})
    world.later(days=13)
    assert await merged(world) == []
    world.later(days=1)
    assert await merged(world) == [
        (str(KEY), "main is merged into trunk, and nobody came since 2026-02-16: it is deactivated, its data stays")]
    db, now = world.stand.store.db, world.stand.clock.now()
    assert ask_for_end(db, world.requests, world.settings, KEY, "ada", now)
    assert (world.kinds(), world.newest().trigger.who) == (["push", "deactivate"], "ada")
    assert not ask_for_end(db, world.requests, world.settings, KEY, "ada", now), "it is on its way"


@pytest.mark.parametrize("reason", ["not merged", "visited", "locked", "inactive", "not wanted", "staging", "busy"])
async def test_what_is_needed_or_was_used_is_not_taken_away(make: Callable[..., World], reason: str) -> None:
    project = OTHER_MAIN.model_copy(update={"staging_branch": "main"}) if reason == "staging" else OTHER_MAIN
    world = make(project=project, collect={} if reason == "not wanted" else {"merged_days": 14})
    world.later(days=60)
    world.merged = reason != "not merged"
    db = world.stand.store.db
    if reason == "visited":
        world.idle.visited(str(KEY))
        await world.idle.look()
    elif reason == "locked":
        locks.put(db, Lock(KEY, "eve", "", BASE))
    elif reason == "inactive":
        world.rest("inactive")
    elif reason == "busy":
        world.stand.enqueue("push")
    assert await merged(world) == []


async def test_merged_and_inactive_environments_are_deleted_where_the_settings_say_so(
    make: Callable[..., World],
) -> None:
    world = make(collect={"merged_days": 14, "merged": "delete"})
    world.later(days=60)
    world.rest("inactive")
    assert [why.partition(": it ")[2] for _, why in await merged(world)] == ["is deleted"]
    assert ask_for_end(world.stand.store.db, world.requests, world.settings, KEY, "deployd", world.stand.clock.now())
    assert world.newest().kind == KINDS["delete"].name


@pytest.mark.parametrize(("kind", "comes_back"), [
    ("push", True), ("activate", True), ("pause", False), ("wake", False), ("deactivate", False),
])
def test_what_only_rests_or_wakes_makes_no_deleted_environment_anew(
    tmp_path: Path, kind: str, comes_back: bool,
) -> None:
    stand = Stand(tmp_path)
    number = stand.enqueue(kind)
    environments.forget(stand.store.db, KEY)
    activity = activities.find(stand.store.db, number)
    assert activity is not None
    missing: Any = None
    host: Any = SimpleNamespace(clock=SimpleNamespace(now=lambda: BASE))
    executor = Executor(KINDS, missing, host, missing, missing, ErrorBoundary("way back"))
    assert executor._begin(stand.store.db, activity)
    assert (environments.find(stand.store.db, KEY) is not None) is comes_back


async def test_who_is_inside_over_ssh_keeps_it_awake(make: Callable[..., World]) -> None:
    world = make()
    db, number = world.stand.store.db, world.stand.version.activity
    stays.add(db, Stay(
        id="1", environment=KEY, part="app", activity=number, kind="shell", who="ada", by="laptop", address="192.0.2.7",
        connection="c0ffee", said="", began=BASE,
    ))
    world.later(minutes=60)
    await world.idle.look()
    assert world.kinds() == ["push"]
    stays.remove(db, "1")
    world.idle._visits.clear()
    await world.idle.look()
    assert world.kinds() == ["push", "pause"]


@pytest.mark.parametrize(("rest", "deed"), [("paused", "wake"), ("inactive", "activate")])
async def test_who_comes_over_ssh_to_what_rests_is_told_how_to_bring_it_back(
    make: Callable[..., World], rest: str, deed: str,
) -> None:
    world = make()
    world.rest(rest)
    targets = Targets(world.stand.store, world.host)  # type: ignore[arg-type]
    with pytest.raises(NotOpen, match=f"main of shop is {rest}: nothing of it runs") as refused:
        await targets.find(Caller("ada", roles_of("contributor", ("shop",))), "shop", "main", "")
    assert refused.value.hint == f"`deployd environment {deed} shop main`, and come again"
