"""One poisoned item beside a healthy one, in every loop that serves many: the healthy one is served, the other told.

Each case makes a loop with an item that raises what nobody expected, lets it go round, and gives its error boundary.
What fails is always what comes first: whoever only survives a failure at the end would pass otherwise.
"""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.error_boundary import ErrorBoundaries, ErrorBoundary
from deployd.activity.lanes import Lanes
from deployd.activity.masking import Masker
from deployd.activity.memory import Memory
from deployd.activity.slots import LOOK_AGAIN_SECONDS, Need, Slots
from deployd.certificates.certificate import Certificate
from deployd.certificates.hosts import HttpsHosts
from deployd.certificates.local import LocalAuthority
from deployd.certificates.manager import CertificateManager
from deployd.certificates.storage import CertificateStore, RouterCertificates, Storage
from deployd.daemon.health import degraded
from deployd.deployment.deployment import Deployment
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.environment.naming import machine_name
from deployd.ids import CommitId, EnvironmentId, ProjectId, SlugKey
from deployd.output.retention import Retention
from deployd.release.answers.visit_words import Visit
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, environments, locks
from deployd.state.activities import Activity, NewActivity, Trigger
from deployd.state.answers import put_wrong, wrong_ones
from deployd.state.locks import Lock
from deployd.upkeep.access_logs import AccessLogs
from deployd.upkeep.answers import Answers
from deployd.upkeep.branches import Branches
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.cron_run import LiveCron
from deployd.upkeep.crons import Crons, scheduled
from deployd.upkeep.kept_output import keep_output_bounded
from deployd.upkeep.lock_ends import LockEnds
from deployd.upkeep.lost_pushes import LostPushes
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.router_repair import RouterRepairer
from deployd.upkeep.survey import Surveyor
from deployd.upkeep.tickets import Tickets
from deployd.upkeep.traffic import Traffic
from tests.doubles.engine import EngineDouble
from tests.doubles.store import MemoryStore
from tests.support.tickets_world import NOW, TicketsWorld
from tests.support.upkeep_stand import APP, BASE, KEY, SHOP, LoopClock, Stand
from tests.unit.activity import test_activity_lanes
from tests.unit.certificates import test_certificate_manager
from tests.unit.upkeep import test_access_logs, test_upkeep_collect_races, test_upkeep_watch
from tests.unit.upkeep.test_upkeep_survey import Listed

pytestmark = pytest.mark.looptime

Case = Callable[[Path], Awaitable[tuple[ErrorBoundary, str]]]
"""Gives the error boundary, and of what its trouble has to tell; empty: it is shown elsewhere."""
CASES: dict[str, Case] = {}
BAD = machine_name("aa")
TWO_CRONS = APP + "crons: {bad: {spec: '* * * * *', cmd: a}, good: {spec: '* * * * *', cmd: b}}\n"
TWO_APPS = {
    ".platform/routes.yaml": "'http://{default}/': {type: upstream, upstream: 'good:http'}\n",
    **{f"{name}/.platform.app.yaml": APP.replace("name: app", f"name: {name}")
       + f"crons: {{{name}: {{spec: '* * * * *', cmd: a}}}}\n" for name in ("bad", "good")},
}


class Poison(Exception):
    """Nobody has heard of it."""


IN_REAL_TIME: dict[str, Case] = {}
"""Those in which programs run: they know nothing of virtual time."""


MISSING: Any = None


def case(test: Case) -> Case:
    CASES[test.__name__] = test
    return test


def real_case(test: Case) -> Case:
    IN_REAL_TIME[test.__name__] = test
    return test


def raise_poison(*_: Any, **__: Any) -> Any:
    raise Poison("poison")


def poison(stand: Stand) -> None:
    """A second environment, which sorts first, whose version cannot be read."""
    db = stand.store.db
    new = NewActivity(KINDS["push"], EnvironmentId(SHOP, BAD), "aa", CommitId("a" * 40), Trigger("eve", "git"))
    number = activities.enqueue(db, new, BASE)
    environments.ensure(db, EnvironmentId(SHOP, BAD), "aa", BASE)
    environments.set_live(db, EnvironmentId(SHOP, BAD), number, "no JSON", BASE)
    activities.begin(db, number, BASE)
    activities.finish(db, number, "success", "", BASE)


@asynccontextmanager
async def running(serve: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve())  # type: ignore[arg-type]
        yield
        task.cancel()


class CronRuns:
    """Of crons called `bad` none can be made; the others are written down."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def __call__(self, live: LiveCron, *_: object) -> None:
        if live.cron.name == "bad":
            raise FileExistsError(17, "File exists", "cron-bad/script.new")
        self.begun.append(live.cron.name)


async def crons_of(
    stand: Stand, next_due: Callable[[LiveCron, datetime], datetime | None] = scheduled,
) -> tuple[ErrorBoundary, list[str]]:
    """Two minutes of them."""
    boundary, runs = ErrorBoundary("crons"), CronRuns()
    crons = Crons(stand.store, stand.host, Masker(), next_due=next_due, run=runs, boundary=boundary)
    async with running(crons.serve):
        await asyncio.sleep(125)
    return boundary, runs.begun


@case
async def a_cron_whose_files_cannot_be_written(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary, begun = await crons_of(Stand(folder, TWO_CRONS))
    assert begun == ["good", "good"]
    return boundary, "bad failed 2 times: the host refused it: FileExistsError: [Errno 17] File exists"


@case
async def an_environment_whose_crons_cannot_be_read(folder: Path) -> tuple[ErrorBoundary, str]:
    stand = Stand(folder, TWO_CRONS)
    poison(stand)
    boundary, begun = await crons_of(stand)
    assert begun == ["good", "good"]
    return boundary, f"reading the crons of shop/{BAD}"


@case
async def a_schedule_that_cannot_be_reckoned(folder: Path) -> tuple[ErrorBoundary, str]:
    def next_due(live: LiveCron, after: datetime) -> datetime | None:
        return raise_poison() if live.cron.name == "bad" else scheduled(live, after)

    boundary, begun = await crons_of(Stand(folder, TWO_CRONS), next_due)
    assert begun == ["good", "good"]
    return boundary, "the schedule of"


@case
async def runs_of_before_that_cannot_be_looked_at(folder: Path) -> tuple[ErrorBoundary, str]:
    stand = Stand(folder, files=TWO_APPS)
    places = stand.host.places
    host = stand.host
    host.places = SimpleNamespace(
        instance=lambda project, name, activity, app: raise_poison() if app == "bad" else
        places.instance(project, name, activity, app),
    )
    boundary, runs = ErrorBoundary("crons"), CronRuns()
    async with running(Crons(stand.store, host, Masker(), run=runs, boundary=boundary).serve):
        await asyncio.sleep(125)
    assert runs.begun == ["good", "good"]
    return boundary, "what was left of"


def watched(folder: Path, engine: EngineDouble) -> tuple[Any, Stand, ErrorBoundary]:
    stand, boundary = Stand(folder, engine=engine), ErrorBoundary("watch")
    for role in ("app", "web"):
        labels = dict(stand.names.labels(role, "app", stand.version.activity))
        engine.add(stand.names.container(stand.version.activity, role, "app"), labels, network=stand.names.network)
    engine.add("test-upkeep-router", {"deployd": "test-upkeep", "deployd.role": "router"})
    reconciler = Reconciler(stand.store, stand.host, stand.clock, boundary=boundary)
    remaker = test_upkeep_watch.Remaker(stand, engine)
    watch = test_upkeep_watch.Watch(
        stand.store, stand.host, reconciler,
        RouterRepairer(stand.host, stand.router, reconciler, remaker.ensure_router),
        recreate=remaker, boundary=boundary,
    )
    return watch, stand, boundary


@case
async def an_environment_that_cannot_be_looked_at(folder: Path) -> tuple[ErrorBoundary, str]:
    engine = EngineDouble()
    watch, stand, boundary = watched(folder, engine)
    poison(stand)
    web = stand.names.container(stand.version.activity, "web", "app")
    async with running(watch.serve):
        await asyncio.sleep(30)
        engine.end(web)
        await asyncio.sleep(5)
        assert engine.there[web].running
    return boundary, f"the look at shop/{BAD}"


@case
async def an_event_that_cannot_be_understood(folder: Path) -> tuple[ErrorBoundary, str]:
    class Labels(dict[str, str]):
        get = raise_poison

    engine = EngineDouble()
    watch, stand, boundary = watched(folder, engine)
    engine.add("odd", Labels({"deployd": "test-upkeep"}))
    web = stand.names.container(stand.version.activity, "web", "app")
    async with running(watch.serve):
        await asyncio.sleep(1)
        engine.tell("odd", "die")
        engine.end(web)
        await asyncio.sleep(5)
        assert engine.there[web].running
    return boundary, "an event of odd"


@case
async def a_container_that_cannot_be_started(folder: Path) -> tuple[ErrorBoundary, str]:
    class Engine(EngineDouble):
        async def start(self, name: str) -> None:
            if "-web-" in name:
                raise Poison("poison")
            await super().start(name)

    engine = Engine()
    watch, stand, boundary = watched(folder, engine)
    names = {role: stand.names.container(stand.version.activity, role, "app") for role in ("web", "app")}
    async with running(watch.serve):
        await asyncio.sleep(1)
        for name in names.values():
            engine.end(name)
        await asyncio.sleep(20)
        assert engine.there[names["app"]].running
        assert not engine.there[names["web"]].running
        assert "an error of deployd itself" in watch.degraded()[0]
    return boundary, ""


@case
async def an_environment_that_cannot_be_put_back(folder: Path) -> tuple[ErrorBoundary, str]:
    engine = EngineDouble()
    _, stand, boundary = watched(folder, engine)
    poison(stand)
    assert await Reconciler(stand.store, stand.host, stand.clock, boundary=boundary).put_routes_back() == 1
    assert [item.environment for item in stand.router.put_sets] == ["/".join(KEY)]
    return boundary, ""


@case
async def an_environment_that_cannot_be_surveyed(folder: Path) -> tuple[ErrorBoundary, str]:
    stand, boundary = Stand(folder), ErrorBoundary("survey")
    poison(stand)
    listed = Listed(stand, EngineDouble())
    host: Any = stand.host
    host.engine, host.router, host.slugs = listed.engine, listed, listed
    survey = await Surveyor(stand.store, host, boundary).survey()  # type: ignore[arg-type]
    assert survey.live == {KEY, (SHOP, BAD)}
    return boundary, ""


class Code:
    """Two projects; one cannot be fetched."""

    async def fetch(self, project: ProjectSettings) -> None: ...

    async def branches(self, project: ProjectId) -> Mapping[str, CommitId]:
        if project == "bad":
            raise Poison("poison")
        return {"aa": CommitId("a" * 40), "main": CommitId("b" * 40)}


async def lost_pushes(
    folder: Path, boundary: ErrorBoundary, refuse: Callable[[Any, ProjectId, Collection[Any]], None] | None = None,
) -> list[str]:
    """Branches that were made."""
    store = MemoryStore()
    projects = {ProjectId(name): ProjectSettings(id=ProjectId(name)) for name in ("bad", "good")}
    requests = Requests(store, Settings(), LoopClock(), lambda: None)  # type: ignore[arg-type]
    if refuse is not None:
        requests.refuse_beyond_share = refuse  # type: ignore[method-assign]
    lost = LostPushes(store, requests, Branches(projects, Code(), folder), boundary=boundary)  # type: ignore[arg-type]
    made = await lost.look()
    found = [await store.read(lambda db, number=number: activities.find(db, number)) for number in made]
    store.close()
    return sorted(item.branch for item in found)


@case
async def a_project_whose_branches_cannot_be_read(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary = ErrorBoundary("lost pushes")
    assert await lost_pushes(folder, boundary) == ["aa", "main"]
    return boundary, "looking for lost pushes of bad"


@case
async def a_lost_push_that_cannot_be_made(folder: Path) -> tuple[ErrorBoundary, str]:
    def refuse(db: Any, project: ProjectId, wanted: Collection[Any]) -> None:
        if any(item.branch == "aa" for item in wanted):
            raise Poison("poison")

    boundary = ErrorBoundary("lost pushes")
    assert await lost_pushes(folder, boundary, refuse) == ["main"]
    return boundary, "making what was lost of good/aa"


@case
async def a_lock_that_cannot_be_ended(folder: Path) -> tuple[ErrorBoundary, str]:
    store, boundary = MemoryStore(), ErrorBoundary("locks")
    bad, good = EnvironmentId(SHOP, BAD), EnvironmentId(SHOP, KEY[1])
    requests: Any = Requests(store, Settings(), LoopClock(), lambda: None)  # type: ignore[arg-type]
    writes = iter([raise_poison, requests.write])   # of the one that sorts first
    only_first_fails: Any = SimpleNamespace(write=lambda change: next(writes)(change))
    for place in (bad, good):
        locks.put(store.db, Lock(place, "ada", "", BASE, until=BASE))
    await LockEnds(store, LoopClock(), only_first_fails, boundary=boundary).look()  # type: ignore[arg-type]
    assert [lock.environment for lock in locks.list_all(store.db)] == [bad]
    store.close()
    return boundary, f"the lock of {bad}"


@case
async def a_ticket_that_cannot_be_looked_at(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary = ErrorBoundary("tickets")
    world = TicketsWorld({branch: {"protected": True} for branch in ("staging", "production")})
    store: Any = world.store
    rounds = Tickets(store, world.host, world.host.clock, world.lanes, world.requests, boundary=boundary)
    bad, good = [(await world.promote(to=branch, not_before=NOW)) for branch in ("staging", "production")]
    world.later(minutes=-1)
    for made in (bad, good):
        await world.comes_to_gate(made.activity)
    world.later(minutes=1)
    world.store.db.execute("UPDATE tickets SET brief = 'no JSON' WHERE id = ?", (bad.id,))
    await rounds.look()
    assert not (await world.activity(good.activity)).held
    world.store.close()
    return boundary, f"the ticket {bad.id}"


@case
async def an_access_log_that_cannot_be_sorted(folder: Path) -> tuple[ErrorBoundary, str]:
    class PoisonedTraffic(Traffic):
        def count(self, environment: str, status: int, seconds: float) -> None:
            if environment == "shop/main":
                raise Poison("poison")
            super().count(environment, status, seconds)

    desk, boundary = test_access_logs.Desk(folder), ErrorBoundary("access logs")
    desk.traffic = PoisonedTraffic()
    logs = AccessLogs(desk.source, desk.places, desk.traffic, desk.reopen, most_bytes=1_000_000, boundary=boundary)
    desk.write(*(test_access_logs.line(name, 1) for name in ("shop/main", "shop/staging", "shop/main")))
    async with running(logs.serve):
        await asyncio.sleep(3)
    assert desk.paths("staging") == ["/1"]
    assert desk.traffic.lost_lines == 2
    return boundary, "the access log of shop/main"


@case
async def an_environment_that_cannot_be_asked_again(folder: Path) -> tuple[ErrorBoundary, str]:
    stand, boundary = Stand(folder), ErrorBoundary("answers")
    poison(stand)
    for name in (BAD, KEY[1]):
        put_wrong(stand.store.db, EnvironmentId(SHOP, name), {f"http://{name}/": "503 Service Unavailable"}, BASE)

    async def ask(live: Deployment, host: Any) -> tuple[Visit, ...]:
        return (Visit(f"http://{live.environment}/", 200),)

    async with running(Answers(stand.store, stand.host, stand.clock, ask=ask, boundary=boundary).serve):
        await asyncio.sleep(1)
    assert [item.environment for item in wrong_ones(stand.store.db)] == [(SHOP, BAD)]
    return boundary, f"asking shop/{BAD}"


async def collected(
    folder: Path, boundary: ErrorBoundary, break_it: Callable[[Any], None],
) -> tuple[Any, list[tuple[str, str]]]:
    """A round over two slugs and a workspace that nobody needs."""
    store = MemoryStore()
    desk = test_upkeep_collect_races.Stand(folder, store, projects={"aa": {}, "shop": {}}, collect={"slug_days": 0})
    desk.slugs.there = {SlugKey("a" * 64), SlugKey("b" * 64)}
    desk.folders(desk.push("failed"))
    packed: list[str] = []
    world = SimpleNamespace(slugs=desk.slugs, engine=desk.engine, packed=packed, pack=packed.append)

    async def pack(project: ProjectId) -> None:
        world.pack(project)

    break_it(world)
    settings = desk.collector._host.settings
    host = SimpleNamespace(settings=settings, places=desk.places, slugs=desk.slugs, engine=desk.engine, kept=desk.kept)
    collector = Collector(store, host, LoopClock(), MISSING, pack, boundary=boundary)  # type: ignore[arg-type]
    going = [item.thing.key for item in (await collector.collect("ada")).going]
    store.close()
    return world, going


@real_case
async def a_thing_that_cannot_be_removed(folder: Path) -> tuple[ErrorBoundary, str]:
    async def remove(key: SlugKey, before: float) -> bool:
        return raise_poison() if key.startswith("a") else True

    boundary = ErrorBoundary("housekeeping")
    _, going = await collected(folder, boundary, lambda world: setattr(world.slugs, "remove_unused", remove))
    assert ("slug", "b" * 64) in going
    assert ("slug", "a" * 64) not in going
    return boundary, f"removing slug {'a' * 64}"


@real_case
async def a_kind_of_thing_that_cannot_be_looked_for(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary = ErrorBoundary("housekeeping")
    _, going = await collected(folder, boundary, lambda world: setattr(world.slugs, "list", raise_poison))
    assert ("workspace", "1") in going
    return boundary, "looking for slugs"


@real_case
async def a_repository_that_cannot_be_packed(folder: Path) -> tuple[ErrorBoundary, str]:
    def break_it(world: Any) -> None:
        world.pack = lambda project: raise_poison() if project == "aa" else world.packed.append(project)

    boundary = ErrorBoundary("housekeeping")
    world, _ = await collected(folder, boundary, break_it)
    assert world.packed == ["shop"]
    return boundary, "packing the repository of aa"


async def certificates(
    folder: Path, authority: Any, *hosts: str,
) -> tuple[ErrorBoundary, CertificateManager, dict[str, Certificate]]:
    boundary, world = ErrorBoundary("certificates"), test_certificate_manager.World(folder)
    manager = CertificateManager(
        test_certificate_manager.Hosts(set(hosts)),  # type: ignore[arg-type]
        Storage(CertificateStore(folder / "store"), world.router),  # type: ignore[arg-type]
        test_certificate_manager.LoopClock(), authority, boundary=boundary,
    )
    await manager.round()
    await manager.round()
    return boundary, manager, world.router.shown


@case
async def a_host_whose_authority_fails(folder: Path) -> tuple[ErrorBoundary, str]:
    def refuses(host: str) -> str:
        return raise_poison() if host.startswith("a.") else ""

    authority = test_certificate_manager.AuthorityDouble(folder / "signer", refuses)
    boundary, manager, shown = await certificates(folder, authority, "a.deployd.dev", "b.deployd.dev")
    assert list(shown) == ["b.deployd.dev"]
    assert "incident" in manager.known()[0].why, "it is not empty"
    assert len(authority.asked) == 2, "it is asked again after a pause only"
    return boundary, ""


@case
async def live_hosts_that_cannot_be_read(folder: Path) -> tuple[ErrorBoundary, str]:
    stand, boundary = Stand(folder), ErrorBoundary("certificates")
    stand.version = replace(stand.version, routes=("https://shop.test/",))
    stand.become(APP)
    poison(stand)
    assert await HttpsHosts(stand.store, stand.host.settings, boundary).hosts() == {"shop.test": SHOP}  # type: ignore[arg-type]
    return boundary, f"reading the hosts of shop/{BAD}"


@case
async def an_overtaken_push_that_cannot_be_ended(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary, store = ErrorBoundary("lanes"), MemoryStore()
    desk = test_activity_lanes.Deployments(store)

    def may_be_overtaken(activity: Activity, journal: object) -> bool:
        return raise_poison() if activity.environment.name == "aa" else True

    desk.lanes = Lanes(store, desk.execute, desk.clock, may_be_overtaken, boundary=boundary)  # type: ignore[arg-type]
    async with desk.daemon():
        first = {name: await desk.push("shop", name) for name in ("aa", "main")}
        await asyncio.sleep(3)
        second = [await desk.push("shop", name) for name in ("aa", "main")]
        await asyncio.sleep(1)
        assert await desk.state(first["main"]) == "cancelled"   # the double has no other ending
        await asyncio.sleep(60)
    assert [await desk.state(number) for number in (first["aa"], *second)] == ["success"] * 3
    store.close()
    return boundary, "ending activity 1, which was overtaken"


@case
async def a_lane_that_cannot_be_carried(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary, store = ErrorBoundary("lanes"), MemoryStore()
    desk = test_activity_lanes.Deployments(store)
    desk.mishap = lambda activity: raise_poison() if activity.environment.name == "aa" else None
    desk.lanes = Lanes(store, desk.execute, desk.clock, boundary=boundary)  # type: ignore[arg-type]
    await desk.push("shop", "aa")
    healthy = await desk.push("shop", "main")
    async with desk.daemon():
        await asyncio.sleep(60)
    assert await desk.state(healthy) == "success"
    store.close()
    return boundary, "the lane of shop/aa failed"


@case
async def somebody_who_waits_and_cannot_be_told(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary, done = ErrorBoundary("slots"), []
    slots = Slots(1, boundary=boundary)

    async def work(project: str, tell: Callable[[str], None] = lambda _: None) -> None:
        async with slots.hold(project, on_wait=tell):
            await asyncio.sleep(10)
            done.append(project)

    async with asyncio.TaskGroup() as group:
        for project, tell in (("first", lambda _: None), ("bad", raise_poison), ("good", lambda _: None)):
            group.create_task(work(project, tell))
    assert done == ["first", "bad", "good"]
    return boundary, ""


@case
async def a_kernel_that_does_not_say_how_much_memory_there_is(folder: Path) -> tuple[ErrorBoundary, str]:
    boundary, asked = ErrorBoundary("slots"), 0

    def used() -> int:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise OSError(24, "Too many open files")
        return 3000 if asked == 1 else 0

    slots, done = Slots(1, Memory(4096, used), boundary=boundary), []

    async def work() -> None:
        async with slots.hold("shop", Need(2048, "the build")):
            done.append("shop")

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        await asyncio.sleep(LOOK_AGAIN_SECONDS * 4)
        assert done == ["shop"]
    return boundary, ""


@case
async def somebody_who_cannot_say_what_is_wrong(folder: Path) -> tuple[ErrorBoundary, str]:
    boundaries = ErrorBoundaries()
    told = degraded(SimpleNamespace(   # type: ignore[arg-type]
        resources=SimpleNamespace(
            router_started=SimpleNamespace(troubles=("the router is old",)), firewall=SimpleNamespace(troubles=list),
            mail=SimpleNamespace(troubles=lambda: ("mail: the relay is away",)),
        ),
        activities=SimpleNamespace(
            lanes=SimpleNamespace(left_alone={}),
            limits=SimpleNamespace(waits=SimpleNamespace(stuck=["activity 7 is stuck"])),
        ),
        upkeep=SimpleNamespace(
            watch=SimpleNamespace(degraded=raise_poison), certificates=SimpleNamespace(troubles=list),
        ),
        observation=SimpleNamespace(usage=SimpleNamespace(troubles=list)),
        process=SimpleNamespace(troubles=tuple, ssh=SimpleNamespace(troubles=tuple)), boundaries=boundaries,
    ))
    assert told[:2] == ["the router is old", "activity 7 is stuck"]
    return boundaries.of("status"), "environments"


@case
async def kept_output(tmp_path: Path) -> tuple[ErrorBoundary, str]:
    """What cannot be looked at is a file where a folder should be, in which nothing is counted."""
    for name in ("bad", "good"):
        kept = tmp_path / "shop" / name / "container"
        kept.mkdir(parents=True)
        (kept / "log").write_text("x")
        os.utime(kept / "log", (0, 0))
    (tmp_path / "shop" / "bad" / "container" / "log").unlink()
    (tmp_path / "shop" / "bad" / "container" / "log").mkdir()
    boundary = ErrorBoundary("kept output")
    async with running(partial(keep_output_bounded, tmp_path, Retention(10, 7), boundary)):
        while boundary.failures < 2:   # at the second time it is told
            await asyncio.sleep(60)
    assert not (tmp_path / "shop" / "good").exists()
    return boundary, "the kept output of shop/bad"


@pytest.mark.parametrize("name", CASES)
async def test_the_healthy_one_is_served_and_the_poisoned_one_is_told(tmp_path: Path, name: str) -> None:
    is_told(*await CASES[name](tmp_path))


@pytest.mark.looptime(False)
@pytest.mark.parametrize("name", IN_REAL_TIME)
async def test_so_it_is_in_rounds_in_which_programs_run(tmp_path: Path, name: str) -> None:
    is_told(*await IN_REAL_TIME[name](tmp_path))


def is_told(boundary: ErrorBoundary, says: str) -> None:
    assert boundary.failures > 0, "nothing was poisoned"
    if says:
        assert any(says in trouble for trouble in boundary.troubles()), boundary.troubles()


async def test_a_name_that_no_certificate_can_hold_is_refused_with_a_reason_and_a_mend(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path / "authority", test_certificate_manager.LoopClock())
    _, manager, shown = await certificates(tmp_path, authority, "a-ü.localhost", "b.localhost")
    assert list(shown) == ["b.localhost"]
    assert "no certificate can be made for this name" in manager.known()[0].why


async def test_a_name_that_is_too_long_for_a_file_hides_no_other(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path / "authority", test_certificate_manager.LoopClock())
    certificate = await authority.issue("b.localhost")
    (tmp_path / "shown").mkdir()
    failed = RouterCertificates(tmp_path / "shown").show({"a" * 253: certificate, "b.localhost": certificate})
    assert list(failed) == ["a" * 253]
    assert (tmp_path / "shown" / "b.localhost.pem").is_file()


@pytest.mark.parametrize(("status", "counted"), [(0, "4xx"), (99, "5xx"), (204, "2xx"), (600, "5xx"), (999, "5xx")])
def test_an_application_may_answer_whatever_number_it_likes(status: int, counted: str) -> None:
    traffic = Traffic()
    traffic.count("shop/main", status, 0.1)
    assert {name: count for name, count in traffic.visits["shop/main"].classes.items() if count} == {counted: 1}


DEPLOYD = Path(__file__).parents[2] / "deployd"
WATCHED = ("upkeep", "certificates", "daemon", "activity/lanes.py", "activity/slots.py")
"""Where the loops are that serve many projects."""
NEEDS_NONE = {
    "upkeep/reports/reports.py:_tell_each": "of one project, in the net of its caller",
    "upkeep/recreate.py:recreate": "one environment's; the look at it is contained",
    "upkeep/reconcile.py:mount": "one environment's", "upkeep/reconcile.py:_start": "one environment's",
    "certificates/acme.py:_order": "one host's; asking for it is contained",
    "upkeep/collect/remove.py:_volume": "one thing's",
    "upkeep/collect/look.py:_volumes": "what is needed must be known whole, before anything of the kind goes",
    "upkeep/collect/look.py:_files": "as above; each folder is counted by a program of its own, with a limit",
    "daemon/listeners.py:open": "the start: a door that cannot be opened ends it",
    "daemon/listeners.py:_set_up": "as above", "daemon/listeners.py:close": "two sockets of the daemon's own",
}
"""Loops over what belongs to one item, and those that must not go on: {file:function: why}"""


def loops_without_a_net() -> set[str]:
    """Functions with a loop that waits for something in its body, neither in a `contain` nor with one in it."""
    places = [DEPLOYD / place for place in WATCHED]
    files = [file for place in places for file in ([place] if place.suffix else sorted(place.rglob("*.py")))]
    return {
        f"{file.relative_to(DEPLOYD)}:{function.name}"
        for file in files for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.AsyncFunctionDef) and any(bare_loops(function))
    }


def bare_loops(node: ast.AST) -> Iterator[ast.AST]:
    """Loops below a node; what a `contain` holds is not looked into, nor what another function does."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.With | ast.AsyncWith) and is_net(child):
            continue
        if isinstance(child, ast.For | ast.AsyncFor):
            inside = [found for part in child.body for found in ast.walk(part)]
            if any(isinstance(found, ast.Await) for found in inside) and not any(map(is_net, inside)):
                yield child
        if not isinstance(child, ast.AsyncFunctionDef):
            yield from bare_loops(child)


def is_net(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any(
        isinstance(found, ast.Attribute) and found.attr == "contain" for item in node.items for found in ast.walk(item)
    )


def test_a_new_loop_over_many_has_a_net_or_a_reason_for_having_none() -> None:
    assert loops_without_a_net() == set(NEEDS_NONE)
