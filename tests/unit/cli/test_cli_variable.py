"""`deployd variable`, `operation` and `source-operation` against a double of the daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from deployd.access.roles import Role
from deployd.cli.main import main
from deployd.commands.variables import At, Said
from tests.doubles.api import FakeCommands, FakeQueries, open_fake_daemon

Cli = Callable[..., Coroutine[Any, Any, Result]]
ON_MAIN = At("shop", "main", "env:COLOUR")


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries([], {})


@pytest_asyncio.fixture
async def cli(queries: FakeQueries, tmp_path: Path) -> AsyncIterator[Cli]:
    socket = tmp_path / "api.sock"

    async def call(*words: str, stdin: str | None = None) -> Result:
        made = [*words, "--socket", str(socket)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(main, made, input=stdin))

    with capture_logs():
        async with open_fake_daemon(socket, queries, FakeCommands(queries)):
            yield call


@pytest.mark.parametrize(("words", "said", "is_new"), [
    (("set", "blue"), Said(value="blue"), None),
    (("set", "--value", "blue"), Said(value="blue"), None),
    (("set", "-", "--sensitive"), Said(value="from stdin", sensitive=True), None),
    (("create", "blue", "--sensitive", "true", "--inheritable", "false"),
     Said(value="blue", sensitive=True, inheritable=False), True),
    (("update", "--enabled", "false", "--visible-build"), Said(enabled=False, visible_build=True), False),
    (("set", "{}", "--json", "true", "--app", "a", "--app", "b", "--visible-runtime", "false"),
     Said(value="{}", is_json=True, applications=("a", "b"), visible_runtime=False), None),
])
async def test_what_is_said_is_asked_for(
    cli: Cli, queries: FakeQueries, words: tuple[str, ...], said: Said, is_new: bool | None,
) -> None:
    verb, *more = words
    value = [more.pop(0)] if more and not more[0].startswith("--") else []
    result = await cli("variable", verb, "shop", "COLOUR", *value, *more, "-e", "main", "--prefix", "env",
                       stdin="from stdin\n")
    assert result.exit_code == 0, result.output
    assert queries.variables.asked == [("put", ON_MAIN, said, "operator", is_new)]


async def test_a_change_says_what_it_builds_and_starts_anew(cli: Cli, queries: FakeQueries) -> None:
    result = await cli("variable", "set", "shop", "env:COLOUR", "blue", "-e", "main", "--plan")
    lines = result.output.splitlines()
    assert lines[0] == "would be created"
    assert "main: builds app and starts api anew with the same slug, now" in lines
    assert "    app: build (a variable that builds see changed)" in lines
    assert "dev: starts app anew with the same slug, with its next deployment, not now" in lines
    assert "old: nothing changes: no application there would see another" in lines
    assert [item[0] for item in queries.variables.asked] == ["plan"]


async def test_without_an_environment_it_is_the_projects(cli: Cli, queries: FakeQueries) -> None:
    for more in ((), ("--level", "project")):
        assert (await cli("variable", "delete", "shop", "env:COLOUR", *more)).exit_code == 0
    assert queries.variables.asked == [("delete", At("shop", None, "env:COLOUR"), "operator")] * 2
    for more in (("--level", "environment"), ("--level", "project", "-e", "main")):
        assert (await cli("variable", "delete", "shop", "env:COLOUR", *more)).exit_code == 2


async def test_a_deletion_can_be_planned(cli: Cli, queries: FakeQueries) -> None:
    assert (await cli("variable", "delete", "shop", "env:COLOUR", "-e", "main", "--plan")).exit_code == 0
    assert queries.variables.asked == [("plan to delete", ON_MAIN, "operator")]


async def test_lists_and_values(cli: Cli) -> None:
    text = (await cli("variable", "list", "shop", "main")).output
    assert "[sensitive]" in text
    assert "hidden by a nearer one" in text
    found = json.loads((await cli("variable", "list", "shop", "-e", "main", "--level", "environment", "--json")).output)
    assert [item["name"] for item in found] == ["env:COLOUR", "env:TOKEN"]
    found = json.loads((await cli("variable", "list", "shop", "--json")).output)
    assert [item["value"] for item in found] == ["red"]
    assert (await cli("variable", "get", "shop", "env:COLOUR", "-e", "main")).output == "blue\n"
    assert "is not shown: it is sensitive" in (await cli("variable", "get", "shop", "env:TOKEN", "-e", "main")).output
    assert (await cli("variable", "get", "shop", "env:NOTHING")).exit_code == 5


async def test_operations(cli: Cli, queries: FakeQueries) -> None:
    assert "bin/clear all…" in (await cli("operation", "list", "shop", "main")).output
    planned = (await cli("operation", "run", "shop", "main", "clear", "--plan")).output
    assert "    bin/warm" in planned
    assert "to end it: bin/stop" in planned
    assert (await cli("operation", "run", "shop", "main", "nothing", "--plan")).exit_code == 1
    assert queries.asked == []
    made = await cli("operation", "run", "shop", "main", "clear", "--app", "app", "--no-wait")
    assert made.exit_code == 0, made.output
    assert queries.asked[0] == ("operation", "shop", "main", "clear", "app", "operator", Role.ADMIN)


async def test_source_operations(cli: Cli, queries: FakeQueries) -> None:
    assert "update" in (await cli("source-operation", "list", "shop", "main")).output
    planned = (await cli("source-operation", "run", "shop", "main", "update", "--plan")).output
    assert "    npm update" in planned
    assert "would be pushed to deployd" in planned
    assert queries.asked == []
    assert (await cli("source-operation", "run", "shop", "main", "update", "--no-wait")).exit_code == 0
    assert queries.asked[0] == ("source operation", "shop", "main", "update", "operator")
