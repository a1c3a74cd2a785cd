"""Variables that people set, and commands that they run on demand, by the command line on the running daemon."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

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
source:
  operations:
    update:
      command: |
        echo "seen in $PLATFORM_SOURCE_DIR: $TONE $TOKEN"
        printf '#!/bin/sh\\necho pwned >/tmp/deployd-pwned\\n' > .git/hooks/pre-commit 2>/dev/null ||
          { mkdir .git/hooks; printf '#!/bin/sh\\ntouch /tmp/deployd-pwned\\n' > .git/hooks/pre-push; }
        chmod +x .git/hooks/*
        git config core.fsmonitor 'touch /tmp/deployd-pwned'
        echo second > text
    break:
      command: 'echo "name: [" > .platform.app.yaml'
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

    async def repository(self) -> str:
        """The project's, on this machine."""
        (found,) = (self.daemon.directory / "var" / "state").rglob(f"{PROJECT}.git")
        return str(found)

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


async def test_what_a_source_operation_changed_is_pushed_and_deployed(
    me: Developer, deployd: CommandLine, tmp_path: Path,
) -> None:
    assert "would run in a clone" in await deployd("source-operation", "run", PROJECT, "main", "update", "--plan")
    told = await deployd("source-operation", "run", PROJECT, "main", "update")
    assert "seen in /app: warm ***" in told
    assert "main of the repository is there now" in told
    number = await deployd.newest()
    log = await deployd("log", "-f", number)
    assert "source operation update" in log
    assert (await me.page())[1].startswith("second on main")
    await run("git", "clone", "--quiet", await deployd.repository(), str(tmp_path / "clone"))
    author = await run("git", "-C", str(tmp_path / "clone"), "log", "-1", "--format=%an: %s")
    assert author.text == "deployd: Source operation update"
    assert not Path("/tmp/deployd-pwned").exists(), "no git of the host ran in the clone"
    assert SECRET not in told + log


async def test_what_could_not_be_deployed_leaves_the_branch_where_it_was(me: Developer, deployd: CommandLine) -> None:
    before = await run("git", "-C", await deployd.repository(), "rev-parse", "main")
    told = await deployd("source-operation", "run", PROJECT, "main", "break", status=1)
    assert ".platform.app.yaml" in told
    after = await run("git", "-C", await deployd.repository(), "rev-parse", "main")
    assert after.text == before.text
    assert not list((deployd.daemon.directory / "var" / "state" / "work").glob("*/.source"))
