"""`deployd variable …`: variables of a project, or of one environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from deployd.cli.activity_log import started
from deployd.cli.client import Client, DaemonAddress, environment_path, project_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show, show_json

COLUMNS = ("name", "level", "of", "value", "build", "runtime", "inherited", "state", "who", "updated_at")
LONGEST_SHOWN = 60
STDIN = "-"


@click.group()
def variable() -> None:
    """Variables of a project or an environment: list, get, set, create, update, delete.

    A NAME that begins with `env:` is an environment variable, with `php:` a setting of PHP; all others are in
    PLATFORM_VARIABLES. A change says what it builds and starts anew, and does that and no more: --plan only says it.
    """


environment_option = click.option("-e", "--environment", help="Branch or machine name; without it, the project's own.")
level_option = click.option("-l", "--level", type=click.Choice(["project", "environment"]),
                            help="`project`, or `environment`, which needs -e.")


def _flag(name: str, says: str) -> Callable[..., Any]:
    """`--sensitive`, or as on the hosted platforms `--sensitive true` and `--sensitive false`."""
    return click.option(name, type=click.BOOL, is_flag=False, flag_value="true", default=None, metavar="[true|false]",
                        help=says)


def _of_variable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command that changes one variable."""
    for decorate in (
        click.option("--as-json", is_flag=True, help="JSON for programs instead of text for people."),
        click.option("--no-wait", is_flag=True, help="Do not wait for the end of the deployment."),
        click.option("--plan", "only_plan", is_flag=True, help="Only say what it would build and start anew."),
        click.option("--prefix", default="", help="Goes before NAME: env, php, …"),
        level_option, environment_option,
        click.argument("name"), click.argument("project"), daemon_options,
    ):
        command = decorate(command)
    return command


def _with_traits(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command that says something of a variable."""
    for decorate in (
        click.option("--app", "applications", multiple=True, help="Only this application gets it; may be repeated."),
        _flag("--enabled", "Whether it counts at all."),
        _flag("--inheritable", "Whether children of the environment get it."),
        _flag("--visible-runtime", "Whether the application gets it when it runs."),
        _flag("--visible-build", "Whether builds get it; a change then builds anew."),
        _flag("--sensitive", "Its value is never shown again, and is masked in logs."),
        _flag("--json", "The value is JSON."),
        click.option("--value", "value_option", help="The value, in place of VALUE."),
        click.argument("value", required=False),
    ):
        command = decorate(command)
    return command


@variable.command("list")
@daemon_options
@click.argument("project")
@click.argument("environment", required=False)
@click.option("-e", "--environment", "also_environment", help="The same, as other commands take it.")
@level_option
@json_option
def list_variables(
    daemon: DaemonAddress, project: str, environment: str | None, also_environment: str | None, level: str | None,
    as_json: bool,
) -> None:
    """Variables of a project, or all that an ENVIRONMENT gets, those that it inherits included.

    Of several of one name the first one wins. Values of sensitive ones are not shown.
    """
    path = _path(project, _environment(environment or also_environment, None if level == "project" else level))
    items = ask(daemon, lambda client: client.get(path))["items"]
    items = [item for item in items if level is None or item["level"] == level]
    if as_json:
        show_json(items)
    else:
        show([_row(item) for item in items], COLUMNS, as_json=False)


@variable.command()
@daemon_options
@click.argument("project")
@click.argument("name")
@environment_option
@level_option
@json_option
def get(
    daemon: DaemonAddress, project: str, name: str, environment: str | None, level: str | None, as_json: bool,
) -> None:
    """The value of a variable; of a sensitive one nothing but that it is there."""
    path = _path(project, _environment(environment, level), name)
    found = ask(daemon, lambda client: client.get(path))
    if as_json:
        show_json(found)
        return
    if found["value"] is None:
        click.echo(f"{harmless(found['name'])} is not shown: it is sensitive", err=True)
        return
    click.echo(harmless(found["value"]))


@variable.command("set")
@_of_variable
@_with_traits
def set_variable(**said: Any) -> None:
    """Set a variable: a new one, or another value of one. VALUE `-` is read from standard input."""
    _put(None, **said)


@variable.command()
@_of_variable
@_with_traits
def create(**said: Any) -> None:
    """Set a variable of which there is none yet. VALUE `-` is read from standard input."""
    _put(1, **said)


@variable.command()
@_of_variable
@_with_traits
def update(**said: Any) -> None:
    """Change a variable that is there: what is not said stays as it is. VALUE `-` is read from standard input."""
    _put(0, **said)


@variable.command()
@_of_variable
def delete(
    daemon: DaemonAddress, project: str, name: str, environment: str | None, level: str | None, prefix: str,
    only_plan: bool, no_wait: bool, as_json: bool,
) -> None:
    """Delete a variable. What inherited from it, inherits from the next one."""
    path = _path(project, _environment(environment, level), _prefixed(prefix, name))

    async def asked(client: Client) -> Any:
        if only_plan:
            return await client.post_for_secret(f"{path}/plan", {"delete": True})
        return await client.delete(path)

    _tell(daemon, ask(daemon, asked), wait=not no_wait, as_json=as_json)


def _put(
    is_new: int | None, *, daemon: DaemonAddress, project: str, name: str, value: str | None, value_option: str | None,
    environment: str | None, level: str | None, prefix: str, only_plan: bool, no_wait: bool, as_json: bool,
    **traits: Any,
) -> None:
    path = _path(project, _environment(environment, level), _prefixed(prefix, name))
    text = value if value is not None else value_option
    body = {key: item for key, item in {
        "value": sys.stdin.read().removesuffix("\n") if text == STDIN else text, "is_json": traits["json"],
        "is_sensitive": traits["sensitive"], "visible_build": traits["visible_build"],
        "visible_runtime": traits["visible_runtime"], "is_inheritable": traits["inheritable"],
        "is_enabled": traits["enabled"], "applications": list(traits["applications"]) or None,
    }.items() if item is not None}

    async def asked(client: Client) -> Any:
        if only_plan:
            question = f"{path}/plan" + (f"?new={is_new}" if is_new is not None else "")
            return await client.post_for_secret(question, body)
        return await client.put(path, body, new=is_new)

    _tell(daemon, ask(daemon, asked), wait=not no_wait, as_json=as_json)


def _tell(daemon: DaemonAddress, made: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    if as_json:
        show_json(made)
        return
    would = "would be " if made["planned"] else ""
    click.echo("it is so already: nothing is done" if made["change"] == "none" else f"{would}{made['change']}")
    for warning in made["warnings"]:
        click.echo(f"warning: {harmless(warning)}", err=True)
    for effect in made["effects"]:
        click.echo(f"{harmless(effect['branch'])}: {_words(effect)}")
        for line in effect["lines"]:
            click.echo(f"    {harmless(line)}")
    if made["activity"] is not None:
        started(daemon, made["activity"], wait=wait, as_json=False)


def _words(effect: dict[str, Any]) -> str:
    if effect["when"] == "never":
        return f"nothing changes: {harmless(effect['why'])}"
    built, anew = effect["built"], [name for name in effect["restarted"] if name not in effect["built"]]
    does = [*([f"builds {', '.join(built)}"] if built else []),
            *([f"starts {', '.join(anew)} anew with the same slug"] if anew else [])]
    said = " and ".join(does) or "gets it"
    when = "now" if effect["when"] == "now" else "with its next deployment, not now"
    return harmless(f"{said}, {when}" + (f" ({effect['why']})" if effect["why"] else ""))


def _environment(environment: str | None, level: str | None) -> str | None:
    if level == "environment" and environment is None:
        raise click.UsageError("--level environment needs -e ENVIRONMENT")
    if level == "project" and environment is not None:
        raise click.UsageError("--level project is of no environment: leave -e out")
    return environment


def _prefixed(prefix: str, name: str) -> str:
    return name if prefix in ("", "none") else f"{prefix.removesuffix(':')}:{name}"


def _path(project: str, environment: str | None, *name: str) -> str:
    if environment is None:
        return project_path(project, "variables", *name)
    return environment_path(project, environment, "variables", *name)


def _row(item: dict[str, Any]) -> dict[str, Any]:
    value = "[sensitive]" if item["value"] is None else item["value"]
    state = "" if item["wins"] else "disabled" if not item["is_enabled"] else "hidden by a nearer one"
    return {
        "name": item["name"], "level": item["level"],
        "of": f"{item['of'] or ''} ({item['origin']})".strip(),
        "value": value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…",
        "build": _yes(item["visible_build"]), "runtime": _yes(item["visible_runtime"]),
        "inherited": _yes(item["is_inheritable"]), "state": state, "who": item["who"],
        "updated_at": item["updated_at"],
    }


def _yes(value: bool | None) -> str:
    return "usual" if value is None else "yes" if value else "no"
