"""Runs of crons in a real container: written down, ended in time, found again, and deployments that wait for them."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployd.activity.masking import Masker
from deployd.clock import SystemClock
from deployd.engine.docker.engine import Engine
from deployd.engine.script import is_held, prepare
from deployd.engine.specs import Bind, ContainerSpec
from deployd.project.model import Cron
from deployd.release.applications.containers import SCRIPTS_FOLDER
from deployd.release.applications.cron_runs import read_runs, run_name, wait_for_crons
from deployd.upkeep.cron_run import HeldBack, LiveCron, run_cron
from deployd.upkeep.crons import Crons
from deployd.upkeep.ownership import read_live
from tests.support.upkeep_stand import APP, BASE, KEY, Stand

IMAGE = "deployd/base:trixie"
CRON = Cron("tidy up", "* * * * *", "echo hello; pwd")


class CronStand:
    """The live app container of a shop, without a router and without a shop."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.stand = Stand(folder, engine=engine)
        self.host = self.stand.host
        self.host.clock = SystemClock()
        self.masker = Masker(["very-secret"])
        self.may = True

    async def live(self, cron: Cron = CRON) -> LiveCron:
        deployment = await read_live(self.stand.store, self.host.settings, KEY)
        assert deployment is not None
        app = SimpleNamespace(name="app", root="")
        return LiveCron(deployment, app, cron)

    async def run(self, cron: Cron, minute: int = 0):
        due = BASE + timedelta(minutes=minute)
        return await run_cron(
            await self.live(cron), due, self.host, self.masker, asyncio.Semaphore(1), self.may_start,
        )

    async def may_start(self) -> bool:
        return self.may

    async def records(self, cron: Cron = CRON) -> list[dict]:
        file = (await self.live(cron)).log_file(self.host)
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
async def crons(tmp_path: Path) -> AsyncIterator[CronStand]:
    async with Engine() as engine:
        stand = CronStand(tmp_path, engine)
        live = await stand.live()
        name = f"{live.container}-{uuid.uuid4().hex[:6]}"
        stand.stand.engine = engine
        scripts = live.scripts(stand.host)
        scripts.mkdir(parents=True)
        await engine.ensure_container_gone(live.container, stop_seconds=0)
        await engine.ensure_container(ContainerSpec(
            live.container, IMAGE, {"deployd": name}, command=("sleep", "600"), entrypoint=(), user="10000:10000",
            binds=(Bind(str(scripts), SCRIPTS_FOLDER),), tmpfs={"/tmp": "rw,mode=1777", "/app": "rw,mode=1777"},
        ))
        yield stand
        await engine.ensure_container_gone(live.container, stop_seconds=0)


async def until(test) -> None:
    async with asyncio.timeout(10):
        while not test():
            await asyncio.sleep(0.02)


async def test_a_run_is_written_down_with_its_output_and_leaves_no_folder(crons: CronStand) -> None:
    ended = await crons.run(CRON)
    assert (ended.state, ended.status) == ("success", 0)
    assert [(item["state"], item["output"], item["due"]) for item in await crons.records()] == [
        ("success", ["hello", "/app"], BASE.isoformat())]
    assert read_runs((await crons.live()).scripts(crons.host)) == []


async def test_a_run_that_fails_says_its_status_and_no_secret(crons: CronStand) -> None:
    ended = await crons.run(replace(CRON, start="echo my very-secret; exit 3"))
    assert (ended.state, ended.status) == ("failed", 3)
    assert (await crons.records())[0]["output"] == ["my ***"]


async def test_a_run_that_never_began_because_of_the_environment_file_says_so(crons: CronStand) -> None:
    written = await crons.run(replace(CRON, start="echo 'export A=(1 2)' >.environment"))
    assert written.state == "success"
    ended = await crons.run(CRON, 1)
    assert (ended.state, ended.status) == ("failed", 2)
    assert "the cron tidy up was never begun (.environment:1)" in ended.said
    assert 'Syntax error: "(" unexpected' in (await crons.records())[1]["said"]


async def test_only_the_last_lines_are_kept(crons: CronStand) -> None:
    await crons.run(replace(CRON, start="seq 1 1000"))
    output = (await crons.records())[0]["output"]
    assert (len(output), output[-1]) == (200, "1000")


async def test_a_run_over_its_timeout_gets_the_signal_and_may_end_by_itself(crons: CronStand) -> None:
    start = "trap 'echo tidied; exit 4' TERM; while :; do sleep 0.1; done"
    ended = await crons.run(replace(CRON, start=start, timeout_seconds=1))
    assert (ended.state, ended.status) == ("overran", 4)
    assert (await crons.records())[0]["output"][-1] == "tidied"


async def test_the_stop_command_runs_in_the_place_of_the_signal(crons: CronStand) -> None:
    start = "trap '' TERM; while [ ! -e /tmp/stop ]; do sleep 0.05; done; exit 5"
    ended = await crons.run(replace(CRON, start=start, stop="touch /tmp/stop", timeout_seconds=1))
    assert (ended.state, ended.status) == ("overran", 5)


@pytest.mark.parametrize("stop", [None, "true"])
async def test_what_does_not_end_after_shutdown_timeout_is_killed(crons: CronStand, stop: str | None) -> None:
    stubborn = replace(CRON, start="trap '' TERM; while :; do sleep 0.1; done", stop=stop, timeout_seconds=1,
                       shutdown_timeout_seconds=1)
    ended = await crons.run(stubborn)
    assert (ended.state, ended.status) == ("overran", 137)


async def test_a_run_is_lost_with_its_container(crons: CronStand) -> None:
    live = await crons.live()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(crons.run(replace(CRON, start="echo begun; sleep 60")))
        await until(lambda: [run for run in live.scripts(crons.host).glob("cron-*/output") if run.read_text()])
        await crons.stand.engine.send_signal(live.container, "SIGKILL")
    assert running.result().state == "lost"
    assert (await crons.records())[0]["output"] == ["begun"]
    assert (await crons.run(CRON, 1)).state == "not_started", "its container does not run"


async def test_a_daemon_that_comes_back_goes_on_with_a_run(crons: CronStand) -> None:
    live = await crons.live()
    waits = replace(CRON, start="echo begun; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo done; exit 6")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):   # the daemon ends
            await crons.run(waits)
    assert len(read_runs(live.scripts(crons.host), CRON.name)) == 1

    crons.stand.app = APP + "crons: {'tidy up': {spec: '0 0 1 1 *', commands: {start: 'echo another'}}}\n"
    crons.host = crons.stand.host
    crons.host.clock = SystemClock()
    scheduler = Crons(crons.stand.store, crons.host, crons.masker)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(scheduler.serve())
        await crons.stand.engine.execute(live.container, ("touch", "/tmp/go"))
        async with asyncio.timeout(10):
            while not await crons.records():
                await asyncio.sleep(0.05)
        serving.cancel()
    assert [(item["status"], item["output"]) for item in await crons.records()] == [(6, ["begun", "done"])]


async def test_the_scheduler_runs_what_is_due(crons: CronStand) -> None:
    crons.stand.app = APP + "crons: {'tidy up': {spec: '* * * * *', commands: {start: 'echo hello'}}}\n"
    crons.host = crons.stand.host
    crons.host.clock = SystemClock()
    scheduler = Crons(
        crons.stand.store, crons.host, crons.masker,
        next_due=lambda live, after: after + timedelta(seconds=1),
    )
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(scheduler.serve())
        async with asyncio.timeout(20):
            while len(await crons.records()) < 3:
                await asyncio.sleep(0.05)
        serving.cancel()
    assert {item["state"] for item in await crons.records()} == {"success"}


async def test_a_deployment_waits_for_a_running_cron_and_no_longer_than_its_limit(crons: CronStand) -> None:
    live = await crons.live()
    said: list[str] = []
    tell = SimpleNamespace(line=said.append, warn=said.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(crons.run(replace(CRON, start="sleep 2")))
        await until(lambda: [run for run, _ in read_runs(live.scripts(crons.host)) if is_held(run)])
        await wait_for_crons(live.release, crons.host, tell, limit_seconds=0.2)
        assert "still runs" in said[-1]
        said.clear()
        await wait_for_crons(live.release, crons.host, tell)
    assert len(said) == 1
    assert "waits for cron-tidy-up" in said[0]


async def test_a_run_that_is_held_back_leaves_nothing_and_a_deployment_waits_for_one_that_is_about_to_start(
    crons: CronStand,
) -> None:
    live, said = await crons.live(), []
    tell = SimpleNamespace(line=said.append, warn=said.append)
    prepare(live.scripts(crons.host), run_name(CRON.name, BASE), "true\n", group=10_000)
    await wait_for_crons(live.release, crons.host, tell, limit_seconds=0.2)
    assert "still runs" in said[-1]
    crons.may = False
    with pytest.raises(HeldBack):
        await crons.run(CRON)
    assert read_runs(live.scripts(crons.host)) == []
    assert await crons.records() == []
