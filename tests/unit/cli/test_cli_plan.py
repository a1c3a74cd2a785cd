"""`deployd plan` of real working trees, against a double of the daemon."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from deployd.cli.main import main
from deployd.process import run
from scripts.repository import make_repository
from tests.doubles.api import FakeCommands, FakeQueries, open_fake_daemon

APP = "name: app\ntype: python:3.13\nweb: {commands: {start: python3 server.py}}\n"


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands(FakeQueries())


@pytest.fixture
async def tree(tmp_path: Path) -> Path:
    """A working tree with one commit on main."""
    start = tmp_path / "start"
    start.mkdir()
    (start / ".platform.app.yaml").write_text(APP)
    (start / "server.py").write_text("print(1)\n")
    folder = tmp_path / "tree"
    await make_repository(folder, start)
    return folder


async def plan(commands: FakeCommands, folder: Path, *argv: str) -> Result:
    socket = folder.parent / "api.sock"
    with capture_logs():
        async with open_fake_daemon(socket, commands.queries, commands):
            return await asyncio.to_thread(
                CliRunner().invoke, main, ["plan", "--socket", str(socket), "-p", "shop", *argv, str(folder)])


async def test_a_plan_is_shown_line_by_line(commands: FakeCommands, tree: Path) -> None:
    result = await plan(commands, tree)
    assert (result.exit_code, result.output) == (
        0, "a push to main of shop would do this:\n  app: build (no slug yet)\n")
    _, project, branch, offered = commands.asked[0]
    assert (project, branch) == ("shop", "main")
    assert offered.files == {".platform.app.yaml": APP.encode()}
    assert set(offered.paths) == {".platform.app.yaml", "server.py"}


async def test_a_plan_for_programs(commands: FakeCommands, tree: Path) -> None:
    result = await plan(commands, tree, "--json", "-b", "next")
    assert json.loads(result.output) == {"project": "shop", "branch": "next", "lines": ["app: build (no slug yet)"]}


async def test_what_is_not_committed_counts(commands: FakeCommands, tree: Path) -> None:
    await plan(commands, tree)
    (tree / "server.py").write_text("print(2)\n")
    await plan(commands, tree)
    (tree / ".platform.app.yaml").write_text(APP + "disk: 256\n")
    await plan(commands, tree)
    first, second, third = (asked[3].listings[""] for asked in commands.asked)
    assert first != second
    assert second == third, "the configuration is sent as it is, and is no part of the digest"


async def test_a_push_that_would_be_refused_ends_with_6(commands: FakeCommands, tree: Path) -> None:
    commands.queries.plan_lines = ["app: build (no slug yet)", "refused: there is no python:9 on this host"]
    assert (await plan(commands, tree)).exit_code == 6


async def test_errors_of_the_configuration_end_with_3(commands: FakeCommands, tree: Path) -> None:
    (tree / ".platform.app.yaml").write_text("hokes: {}\n" + APP)
    result = await plan(commands, tree)
    assert (result.exit_code, result.stdout, commands.asked) == (3, "", [])
    assert ".platform.app.yaml:1:1: error: an application has no key `hokes`" in result.stderr


async def test_a_folder_without_git_says_so(commands: FakeCommands, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / ".platform.app.yaml").write_text(APP)
    result = await plan(commands, folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"deployd: cannot tell the branch of {folder}" in result.stderr


async def test_a_commit_that_is_no_branch_needs_a_name(commands: FakeCommands, tree: Path) -> None:
    await run("git", "-C", str(tree), "checkout", "--quiet", "--detach")
    result = await plan(commands, tree)
    assert result.exit_code == 1
    assert "name the branch with --branch" in result.stderr
    assert (await plan(commands, tree, "--branch", "main")).exit_code == 0


async def test_a_work_tree_beside_its_repository_can_be_planned(commands: FakeCommands, tree: Path) -> None:
    beside = tree.parent / "beside"
    await run("git", "-C", str(tree), "worktree", "add", "--quiet", "-b", "next", str(beside))
    assert (await plan(commands, beside)).exit_code == 0
    assert commands.asked[0][2] == "next"
