"""`deployd environment …`: what becomes of one environment, and what people say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from deployd.cli.activity_log import started
from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show_json


@click.group()
def environment() -> None:
    """Activate, deactivate, pause or wake an environment; give it a title or a parent.

    ENVIRONMENT is its branch or its machine name.
    """


def _of_environment(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command that is given one environment."""
    for decorate in (json_option, click.argument("environment"), click.argument("project"), daemon_options):
        command = decorate(command)
    return command


no_wait = click.option("--no-wait", is_flag=True, help="Do not wait for its end.")


def _ask_for(daemon: DaemonAddress, project: str, environment: str, deed: str, *, wait: bool, as_json: bool) -> None:
    made = ask(daemon, lambda client: client.post(environment_path(project, environment, deed)))
    started(daemon, made, wait=wait, as_json=as_json)


@environment.command()
@no_wait
@_of_environment
def activate(daemon: DaemonAddress, project: str, environment: str, no_wait: bool, as_json: bool) -> None:
    """Deploy a branch that is inactive or only stored. Its pushes are deployed from then on."""
    _ask_for(daemon, project, environment, "activate", wait=not no_wait, as_json=as_json)


@environment.command()
@no_wait
@_of_environment
def deactivate(daemon: DaemonAddress, project: str, environment: str, no_wait: bool, as_json: bool) -> None:
    """Let the containers of an environment go, and keep its data. Its pushes are only stored from then on."""
    _ask_for(daemon, project, environment, "deactivate", wait=not no_wait, as_json=as_json)


@environment.command()
@no_wait
@_of_environment
def pause(daemon: DaemonAddress, project: str, environment: str, no_wait: bool, as_json: bool) -> None:
    """Stop what runs in an environment. Its next visitor wakes it; no crons are run until then."""
    _ask_for(daemon, project, environment, "pause", wait=not no_wait, as_json=as_json)


@environment.command()
@no_wait
@_of_environment
def wake(daemon: DaemonAddress, project: str, environment: str, no_wait: bool, as_json: bool) -> None:
    """Start what a paused environment had, as its next visitor does."""
    _ask_for(daemon, project, environment, "wake", wait=not no_wait, as_json=as_json)


def _describe(daemon: DaemonAddress, project: str, environment: str, as_json: bool, **said: str) -> None:
    found = ask(daemon, lambda client: client.post(environment_path(project, environment, "describe"), {**said}))
    if as_json:
        show_json(found)
        return
    name = f"{project}/{harmless(found['branch'])}"
    title = f", {harmless(found['title'])}" if found["title"] else ""
    parent = f"; its parent is {harmless(found['parent'])}" if found["parent"] else ""
    click.echo(f"{name}{title}{parent}")


@environment.command()
@_of_environment
@click.argument("text", default="")
def title(daemon: DaemonAddress, project: str, environment: str, text: str, as_json: bool) -> None:
    """Give an environment a title, which lists show beside its branch; without TEXT it has none any more."""
    _describe(daemon, project, environment, as_json, title=text)


@environment.command()
@_of_environment
@click.argument("other", default="")
def parent(daemon: DaemonAddress, project: str, environment: str, other: str, as_json: bool) -> None:
    """Name the environment that this one comes from; without OTHER it is production."""
    _describe(daemon, project, environment, as_json, parent=other)
