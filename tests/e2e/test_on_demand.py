"""Variables that people set, and commands that they run on demand, by the command line on the running daemon."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass

import pytest
import pytest_asyncio

from deployd.process import run
from scripts.local_daemon import LocalDaemon
from scripts.repository import make_repository
from tests.support.developer import APP, Developer, write_start

PROJECT = "varied"
FILE = APP + """\
hooks:
  build: |
    echo "built with ${TONE:-nothing} and $TOKEN" | tee built
operations:
  show:
    role: viewer
    commands: {start: 'echo "colour=$COLOUR token=$TOKEN"; cat built'}
  linger:
    commands:
      start: 'touch /tmp/lingers; while [ -e /tmp/lingers ]; do sleep 0.1; done; echo asked to end'
      stop: 'echo stopping; rm /tmp/lingers'
  fail: {commands: {start: 'echo about to fail; exit 3'}}
"""
SECRET = "very-secret-word"


@dataclass
class CommandLine:
    daemon: LocalDaemon

    async def __call__(self, *words: str, status: int = 0, stdin: str | None = None) -> str:
        socket = self.daemon.directory / "var" / "run" / "api.sock"
        done = await run(
            sys.executable, "-m", "deployd", *words, "--socket", str(socket), check=False,
            stdin=stdin.encode() if stdin is not None else None,
        )
        assert done.status == status, done.text
        return done.text

    async def newest(self) -> str:
        found = json.loads(await self("activities", "-p", PROJECT, "--limit", "1", "--json"))
        return str(found[0]["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def me(daemon: LocalDaemon, tmp_path_factory: pytest.TempPathFactory) -> Developer:
    folder = tmp_path_factory.mktemp("varied") / PROJECT
    files = write_start(tmp_path_factory.mktemp("start"), {".platform.app.yaml": FILE})
    await make_repository(folder, files)
    made = Developer(daemon, folder, PROJECT)
    pushed = await made.push()
    assert pushed.deployed, pushed.lines
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def deployd(me: Developer) -> CommandLine:
    return CommandLine(me.daemon)


async def test_what_only_run_time_sees_is_deployed_with_the_slug_that_there_is(deployd: CommandLine) -> None:
    words = ("variable", "set", PROJECT, "env:colour", "blue", "-e", "main", "--visible-build", "false")
    planned = await deployd(*words, "--plan")
    assert "would be created\nmain: starts app anew with the same slug, now" in planned
    assert "colour= token=\n" in await deployd("operation", "run", PROJECT, "main", "show")
    done = await deployd(*words)
    assert "the variable env:COLOUR of main was created" in done
    assert "app: reuse (unchanged)" in done
    shown = await deployd("operation", "run", PROJECT, "main", "show")
    assert "colour=blue token=" in shown
    assert "built with nothing" in shown
    assert (await deployd(*words)).strip() == "it is so already: nothing is done"


async def test_what_builds_see_is_built_and_no_secret_is_in_any_log(deployd: CommandLine) -> None:
    done = await deployd("variable", "set", PROJECT, "env:TOKEN", "-", "-e", "main", "--sensitive", stdin=SECRET)
    assert "main: builds app, now" in done
    assert "built with nothing and ***" in done
    shown = await deployd("operation", "run", PROJECT, "main", "show")
    assert "token=***" in shown
    for text in (done, shown, await deployd("variable", "list", PROJECT, "main", "--json"),
                 await deployd("audit", "--json"), deployd.daemon.log_tail(10_000)):
        assert SECRET not in text
    state = deployd.daemon.directory / "var" / "state"
    assert not [file for file in state.glob("state.db*") if SECRET.encode() in file.read_bytes()]


async def test_a_projects_variable_comes_with_the_next_deployment(deployd: CommandLine) -> None:
    before = await deployd.newest()
    done = await deployd("variable", "set", PROJECT, "env:TONE", "warm")
    assert "main: builds app, with its next deployment, not now" in done
    assert await deployd.newest() == before
    done = await deployd("variable", "delete", PROJECT, "env:COLOUR", "-e", "main")
    assert "built with warm and ***" in done, "what waited comes along with the next deployment"
    assert "colour= token=***" in await deployd("operation", "run", PROJECT, "main", "show")


async def test_an_operation_ends_as_its_command_does(deployd: CommandLine) -> None:
    failed = await deployd("operation", "run", PROJECT, "main", "fail", status=1)
    assert "about to fail" in failed
    assert "exit code 3" in failed
    assert "about to fail" in await deployd("log", await deployd.newest(), status=1)


async def test_one_that_is_cancelled_is_ended_by_its_stop_command(deployd: CommandLine) -> None:
    made = await deployd("operation", "run", PROJECT, "main", "linger", "--no-wait")
    found = re.search(r"activity (\d+): operation of", made)
    assert found, made
    async with asyncio.timeout(30):
        while "operation linger runs" not in await deployd("log", found[1]):
            await asyncio.sleep(0.1)
    await deployd("cancel", found[1])
    told = await deployd("log", "-f", found[1], status=1)
    assert "stopping" in told
    assert await deployd("operation", "run", PROJECT, "main", "show"), "the lane goes on"
