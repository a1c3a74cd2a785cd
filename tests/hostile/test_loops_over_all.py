"""One project does what no round expects; everybody's crons, logs, housekeeping and status go on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from deployd.environment.naming import machine_name
from scripts.local_daemon import LocalDaemon
from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAIT_SECONDS = 200.0
TICK = "crons: {tick: {spec: '* * * * *', commands: {start: 'echo tick'}}}\n"
IN_THE_WAY = APP + TICK + """\
hooks:
  deploy: |
    python3 in_the_way.py
"""
FOLDERS = '''\
"""Whatever a cron may be called that begins within the next minutes is there already, as what it must not be."""
import os, sys
from datetime import datetime, timedelta, timezone

scripts = "/run/deployd/scripts"
kinds = sys.argv[1:] or ["file", "folder", "link", "fifo", "loop"]
now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
for minute in range(8):
    moment = (now + timedelta(minutes=minute)).strftime("%Y%m%dT%H%M%SZ")
    for name in (f"cron-tick-{moment}", f"cron-{moment}", f"tick-{moment}"):
        path, kind = os.path.join(scripts, name), kinds[minute % len(kinds)]
        try:
            if kind == "file":
                open(path, "w").close()
            elif kind == "folder":
                os.makedirs(os.path.join(path, "script.new"))
            elif kind == "link":
                os.symlink("/etc/passwd", path)
            elif kind == "fifo":
                os.mkfifo(path)
            else:
                os.symlink(name, path)
        except OSError as error:
            print("refused:", error)
'''
ODD_ANSWERS = SERVER.replace("        self.send_response(200)\n", """\
        if self.path.startswith("/status/"):
            self.send_response_only(int(self.path.rpartition("/")[2]), "odd")
        else:
            self.send_response(200)
""")


def state_of(daemon: LocalDaemon) -> Path:
    return daemon.directory / "var" / "state"


def environment_of(me: Developer, branch: str = "main") -> Path:
    return state_of(me.daemon) / "environments" / me.project / machine_name(branch)


async def until(what: Callable[[], bool], why: str) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not what():
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(why) from None


async def asked(daemon: LocalDaemon, path: str) -> Any:
    async with daemon.session() as session, session.get(path) as answer:
        return await answer.json()


def ticks(me: Developer) -> list[dict[str, Any]]:
    """Runs of the neighbour's cron that went well."""
    file = environment_of(me) / "crons" / "app-tick.log"
    runs = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [run for run in runs if run["state"] == "success"]


async def test_a_hook_that_stands_in_the_way_of_the_next_crons_stops_nobody_elses(
    developer: MakeDeveloper,
) -> None:
    me = await developer("rounds", {".platform.app.yaml": IN_THE_WAY, "in_the_way.py": FOLDERS})
    assert (await me.push()).deployed
    neighbour = await developer("neighbour", {".platform.app.yaml": APP + TICK})
    assert (await neighbour.push()).deployed
    passwd = Path("/etc/passwd").stat()
    before = len(ticks(neighbour))
    await until(lambda: len(ticks(neighbour)) > before, "the neighbour's cron does not run")
    now = Path("/etc/passwd").stat()
    assert (now.st_uid, now.st_mtime, now.st_mode) == (passwd.st_uid, passwd.st_mtime, passwd.st_mode)
    assert (await asked(me.daemon, "/status"))["engine"]["reachable"], "the daemon answers"


@pytest.mark.parametrize("status", [199, 299, 600, 799, 999])
async def test_a_number_that_is_no_status_stops_nobodys_access_log(
    developer: MakeDeveloper, odd: Developer, status: int,
) -> None:
    async with aiohttp.ClientSession() as session:
        url = URL(odd.daemon.url("rounds", "odd", f"/status/{status}"))
        try:
            async with session.get(url.with_host("127.0.0.1"), headers={"Host": url.authority}) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):   # a client need not understand it
            pass
    neighbour = await developer("neighbour")
    path = f"/after-{status}"
    await neighbour.page(path=path)
    log = environment_of(neighbour) / "access.log"
    await until(lambda: log.exists() and path in log.read_text(), "the neighbour's requests are not written down")
    async with aiohttp.ClientSession(odd.daemon.api) as session, session.get("/metrics") as answer:
        assert answer.status == 200


@pytest.fixture
async def odd(developer: MakeDeveloper) -> Developer:
    """Answers with the number that it is asked for."""
    made = await developer("rounds", {"server.py": ODD_ANSWERS, "text": "odd"})
    if (await made.page("odd"))[1] != "odd on odd":
        assert (await made.push("odd")).deployed
    return made


@pytest.mark.parametrize(("name", "make"), [
    ("deep", "import os\nfor _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\n"),
    ("loop", "import os\nfor n in range(50):\n    os.symlink('.', f'l{n}')\n"),
    ("fifo", "import os\nfor n in range(50):\n    os.mkfifo(f'f{n}')\n"),
    ("names", "import os\nfor n in range(50):\n    open(b'\\xff\\n' + str(n).encode(), 'w').close()\n"),
    ("out", "import os\nos.symlink('/', 'root')\nos.symlink('/etc', 'etc')\n"),
])
async def test_housekeeping_gets_through_what_a_build_left_in_its_cache(
    developer: MakeDeveloper, name: str, make: str,
) -> None:
    build = f'cd "$PLATFORM_CACHE_DIR" && mkdir -p {name} && cd {name} && python3 /app/fill.py || true'
    me = await developer("rounds", {
        ".platform.app.yaml": APP + f"hooks:\n  build: |\n    {build}\n", "fill.py": make, "text": name,
    })
    assert (await me.push("fills")).deployed
    etc = {file.name: file.lstat().st_ctime for file in Path("/etc").iterdir()}
    work = state_of(me.daemon) / "work" / "987654321"   # what a crash left
    work.mkdir(parents=True)
    async with me.daemon.session() as session, session.post("/api/v1/collect", json={"deleted": False}) as answer:
        assert answer.status == 200, await answer.text()
        assert ("workspace", "987654321") in {(item["kind"], item["name"]) for item in (await answer.json())["things"]}
    assert not work.exists()
    assert not [reason for reason in (await asked(me.daemon, "/status"))["reasons"] if "housekeeping" in reason]
    assert {file.name for file in Path("/etc").iterdir()} == set(etc)


async def test_no_round_was_begun_anew_and_the_loops_are_in_the_figures(daemon: LocalDaemon) -> None:
    """The last one: tasks that fell and were started again would be counted here."""
    async with aiohttp.ClientSession(daemon.api) as session, session.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    assert 'deployd_loop_failures_total{loop="tasks"} 0.0' in lines
    assert any(line.startswith('deployd_loop_failing{loop="crons"}') for line in lines)
