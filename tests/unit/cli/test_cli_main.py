"""The list of commands, what is loaded for it, and what stands about it in docs/cli.md."""

from __future__ import annotations

import os
import sys

import click
import pytest
from click.testing import CliRunner

from deployd import __version__
from deployd.cli import exit_status
from deployd.cli.main import COMMANDS, main
from deployd.process import run
from tests.support.corpus import REPOSITORY

DOCS = (REPOSITORY / "docs/cli.md").read_text()
HEAVY = ("aiohttp", "aiodocker", "jinja2", "pydantic", "rich", "asyncio", "sqlite3")


def command(name: str) -> click.Command:
    with click.Context(main) as context:
        found = main.get_command(context, name)   # type: ignore[attr-defined]
    assert isinstance(found, click.Command)
    return found


def with_parts(name: str) -> dict[str, click.Command]:
    """{as it is called: a command, and those that are below it}"""
    found = command(name)
    if not isinstance(found, click.Group):
        return {name: found}
    return {f"deployd {name} {part}": below for part, below in found.commands.items()}


def section(name: str) -> str:
    _, _, after = DOCS.partition(f"\n## deployd {name}\n")
    assert after, f"docs/cli.md has no heading for {name}"
    return after.partition("\n## ")[0]


def test_the_list_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.output


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"deployd {__version__}\n"


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["check", "--help"], ["nothing"]])
async def test_what_needs_no_daemon_loads_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys\nfrom deployd.cli.main import main\n"
        f"try: main({argv!r})\nexcept SystemExit: pass\n"
        f"print('loaded', sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    assert (await run(sys.executable, "-c", code, cwd=REPOSITORY)).text.splitlines()[-1] == "loaded []"


async def test_a_shell_completes_names_without_loading_commands() -> None:
    env = {**os.environ, "_DEPLOYD_COMPLETE": "bash_complete", "COMP_WORDS": "deployd re", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['deployd']\nfrom deployd.cli.main import main\nmain(prog_name='deployd')"
    assert (await run(sys.executable, "-c", code, env=env, cwd=REPOSITORY)).text == "plain,redeploy"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    assert command(name).get_short_help_str(limit=200) == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = section(name)
    for called, found in with_parts(name).items():
        assert called == name or called in text, f"{called} is not documented"
        for parameter in found.params:
            shown = parameter.opts[-1] if isinstance(parameter, click.Option) else (parameter.name or "").upper()
            if shown not in ("--socket", "--context", "--json"):   # of many commands: said once, at the beginning
                assert shown in text, f"{called}: {shown} is not documented"


@pytest.mark.parametrize("name", COMMANDS)
def test_what_speaks_json_says_what_its_json_is(name: str) -> None:
    if any("--json" in parameter.opts for found in with_parts(name).values() for parameter in found.params):
        assert "--json" in section(name)


def test_no_command_is_documented_that_is_not_there() -> None:
    named = [text.partition("\n")[0] for text in DOCS.split("\n## deployd ")[1:]]
    assert named == list(COMMANDS)


def test_every_exit_status_is_documented() -> None:
    statuses = [value for name, value in vars(exit_status).items() if name.isupper()]
    for status in statuses:
        assert f"\n| {status} |" in DOCS, f"exit status {status} is not documented"
