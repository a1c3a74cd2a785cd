"""When crons start, wait and are skipped; how long they run is the test's business."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog

from deployd.access.errors import NotFound
from deployd.activity.journal import write_result
from deployd.activity.masking import Masker
from deployd.deployment.results import Frozen
from deployd.ids import EnvironmentId
from deployd.upkeep.cron_run import HeldBack, LiveCron
from deployd.upkeep.crons import CronKey, CronRuns, Crons
from tests.support.upkeep_stand import APP, BASE, MAIN, SHOP, Stand

pytestmark = pytest.mark.looptime
MINUTELY = APP + "crons: {tick: {spec: '* * * * *', commands: {start: 'true'}}}\n"


@dataclass
class Runs:
    """Runs that last as long as they are told; (cron, minute due, minute begun) of each."""

    seconds: float = 1.0
    begun: list[tuple[str, float, float]] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    asked_by: list[str] = field(default_factory=list)

    async def __call__(self, live: LiveCron, due: datetime, *_: object) -> None:
        assert live.cron.name not in self.under_way, "a cron runs beside itself"
        self.under_way.add(live.cron.name)
        self.asked_by.append(live.asked_by)
        loop = asyncio.get_running_loop()
        self.begun.append((live.cron.name, (due - BASE) / timedelta(minutes=1), round(loop.time() / 60, 2)))
        await asyncio.sleep(self.seconds)
        self.under_way.remove(live.cron.name)


@asynccontextmanager
async def served(stand: Stand, runs: Runs) -> AsyncIterator[None]:
    crons = Crons(stand.store, stand.host, Masker(), run=runs)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(crons.serve())
        yield
        serving.cancel()


async def test_a_cron_runs_at_every_due_minute(tmp_path: Path) -> None:
    runs = Runs()
    async with served(Stand(tmp_path, MINUTELY), runs):
        await asyncio.sleep(190)
    assert runs.begun == [("tick", 1, 1), ("tick", 2, 2), ("tick", 3, 3)]


async def test_a_due_run_waits_for_the_one_before_and_only_one_waits(tmp_path: Path) -> None:
    runs = Runs(seconds=200)
    with structlog.testing.capture_logs() as logs:
        async with served(Stand(tmp_path, MINUTELY), runs):
            await asyncio.sleep(330)
    assert [(due, round(begun, 1)) for _, due, begun in runs.begun] == [(1, 1), (2, 4.3)]
    skipped = [entry["due"] for entry in logs if entry["event"] == "cron_skipped"]
    assert skipped == [(BASE + timedelta(minutes=minute)).isoformat() for minute in (3, 4)], "5 waits in its turn"


async def test_a_cron_rests_from_the_freeze_of_a_deployment_to_its_switch(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    async with served(stand, runs):
        await asyncio.sleep(30)
        number = stand.deploy(("freeze", "started", None))
        await asyncio.sleep(100)
        assert runs.begun == []
        stand.journal(number, "switch", "started")
        await asyncio.sleep(5)
        assert runs.begun == []
        stand.journal(number, "switch", "done")
        await asyncio.sleep(5)
    assert [due for _, due, _ in runs.begun] == [1], "the second minute's run is skipped: the first one waits"


@pytest.mark.parametrize("step", ["fetch", "build_apps", "pack", "start_services", "start_apps"])
async def test_a_cron_runs_while_a_deployment_has_not_come_to_its_freeze(tmp_path: Path, step: str) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    async with served(stand, runs):
        stand.deploy((step, "started", None))
        await asyncio.sleep(61)
    assert len(runs.begun) == 1


async def test_a_cron_rests_while_a_freeze_is_undone_and_runs_when_the_earlier_version_is_back(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    async with served(stand, runs):
        number = stand.deploy(("freeze", "done", write_result(Frozen(True))), ("run_deploy_hook", "started", None))
        stand.journal(number, "run_deploy_hook", "failed")
        stand.journal(number, "run_deploy_hook", "undone")
        stand.journal(number, "freeze", "undoing")
        await asyncio.sleep(61)
        assert runs.begun == []
        stand.journal(number, "freeze", "undone")
        await asyncio.sleep(5)
    assert len(runs.begun) == 1


async def test_a_cron_that_meets_a_freeze_on_its_way_goes_back_and_runs_after_the_switch(tmp_path: Path) -> None:
    stand, begun = Stand(tmp_path, MINUTELY), []

    async def run(live: LiveCron, due: datetime, *more: object) -> None:
        if not begun:   # as the run's folder is laid out, the freeze begins
            begun.append(stand.deploy(("freeze", "started", None)))
        if not await more[-1]():   # type: ignore[operator]
            raise HeldBack
        begun.append(live.asked_by)

    crons = Crons(stand.store, stand.host, Masker(), run=run)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(crons.serve())
        await asyncio.sleep(1)
        await crons.run_now(CronKey(EnvironmentId(SHOP, MAIN), "app", "tick"), "ada")
        await asyncio.sleep(20)
        assert len(begun) == 1
        stand.finish(begun[0])
        await asyncio.sleep(3)
        serving.cancel()
    assert begun[1:] == ["ada"]


async def test_an_activity_that_only_waits_does_not_hold_a_cron_back(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    stand.enqueue("push")
    async with served(stand, runs):
        await asyncio.sleep(61)
    assert len(runs.begun) == 1


async def test_a_cron_waits_while_requests_are_held(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    async with served(stand, runs):
        stand.router.frozen[f"{SHOP}/{MAIN}"] = 60
        await asyncio.sleep(80)
        assert runs.begun == []
        stand.router.frozen.clear()
        await asyncio.sleep(2)
    assert len(runs.begun) == 1


async def test_a_cron_runs_while_the_router_is_away(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    stand.router.away = True
    async with served(stand, runs):
        await asyncio.sleep(61)
    assert len(runs.begun) == 1


async def test_the_crons_of_a_new_version_are_the_ones_that_run(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, APP), Runs()
    async with served(stand, runs):
        await asyncio.sleep(90)
        stand.become(MINUTELY.replace("tick", "new"))
        await asyncio.sleep(40)
        stand.become(APP)
        await asyncio.sleep(120)
    assert [name for name, _, _ in runs.begun] == ["new"]


async def test_the_crons_of_an_application_run_one_after_the_other(tmp_path: Path) -> None:
    runs = Runs(seconds=40)
    app = APP + "crons: {a: {spec: '* * * * *', cmd: a}, b: {spec: '*/2 * * * *', cmd: b}}\n"
    async with served(Stand(tmp_path, app), runs):
        await asyncio.sleep(270)
    begun = [(name, due, begun) for name, due, begun in runs.begun]
    assert begun == [("a", 1, 1), ("a", 2, 2), ("b", 2, 2.67), ("a", 3, 3.33), ("a", 4, 4), ("b", 4, 4.67)][:len(begun)]
    assert len(begun) >= 5


async def test_crons_of_two_applications_do_not_wait_for_each_other(tmp_path: Path) -> None:
    runs = Runs(seconds=100)
    files = {".platform/routes.yaml": "'http://{default}/': {type: upstream, upstream: 'a:http'}\n"}
    for name in ("a", "b"):
        app = MINUTELY.replace("tick", name).replace("name: app", f"name: {name}")
        files[f"{name}/.platform.app.yaml"] = app
    async with served(Stand(tmp_path, files=files), runs):
        await asyncio.sleep(61)
    assert sorted(runs.begun) == [("a", 1, 1), ("b", 1, 1)]


async def test_a_deleted_environment_runs_nothing_any_more(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY), Runs()
    stand.enqueue("delete")
    async with served(stand, runs):
        await asyncio.sleep(130)
    assert runs.begun == []


async def test_a_run_that_is_wanted_now_waits_as_others_do_and_there_is_one_at_a_time(tmp_path: Path) -> None:
    stand, runs = Stand(tmp_path, MINUTELY.replace("* * * * *", "0 0 1 1 *")), Runs(seconds=10)
    crons = Crons(stand.store, stand.host, Masker(), run=runs)
    key = CronKey(EnvironmentId(SHOP, MAIN), "app", "tick")
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(crons.serve())
        await asyncio.sleep(1)
        number = stand.deploy(("freeze", "started", None))
        await crons.run_now(key, "ada")
        await asyncio.sleep(20)
        assert (runs.begun, crons.now(key).state) == ([], "waits")
        with pytest.raises(CronRuns, match="tick of app waits for its turn already, wanted by ada"):
            await crons.run_now(key, "bob")
        stand.finish(number)
        await asyncio.sleep(3)
        assert (len(runs.begun), crons.now(key).state) == (1, "runs")
        with pytest.raises(CronRuns, match="tick of app runs already, wanted by ada"):
            await crons.run_now(key, "bob")
        await asyncio.sleep(10)
        assert crons.now(key).state == "idle"
        with pytest.raises(NotFound, match="no cron tack of app"):
            await crons.run_now(key._replace(cron="tack"), "bob")
        serving.cancel()
    assert runs.asked_by == ["ada"]
