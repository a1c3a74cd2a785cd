"""Commands of environments: `environments`, `redeploy`, `push-again`, `rollback`, `lock`, `unlock` and `pass`."""

from __future__ import annotations

from typing import Any

import click

from deployd.cli.activity_log import started
from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option, project_option
from deployd.cli.output import harmless, moment, show, show_json
from deployd.cli.watch import Query, keep_shown, watch_option

PATH = "/api/v1/environments"
COLUMNS = ("project", "branch", "title", "parent", "type", "state", "commit", "activity", "since", "url")


@click.command()
@daemon_options
@project_option
@watch_option
@json_option
def environments(daemon: DaemonAddress, project: str | None, watch: bool, as_json: bool) -> None:
    """Environments, what is live in them and where to look at it."""
    query: Query = {"project": project}
    if watch:
        return keep_shown(daemon, PATH, query, _show, as_json=as_json)
    found = ask(daemon, lambda client: client.get(PATH, **query))
    return show_json(found["items"]) if as_json else _show(found)


def _show(found: Any) -> None:
    items = found["items"]
    show([{**item, "state": _state(item)} for item in items], _columns(items), as_json=False)
    for item in items:
        bad = (item["bad_release"]["said"],) if item["bad_release"] else ()
        for sentence in (*item["answers"], *bad, *item["killed"]):
            click.echo(f"! {item['project']}/{item['branch']}: {harmless(sentence)}")


def _columns(items: list[dict[str, Any]]) -> tuple[str, ...]:
    """Without those that say nothing: no title at all, and no parent but production."""
    production = {item["project"]: item["branch"] for item in items if item["type"] == "production"}
    empty = {"title"} if not any(item["title"] for item in items) else set()
    if all(item["parent"] in ("", production.get(item["project"])) for item in items):
        empty.add("parent")
    return tuple(name for name in COLUMNS if name not in empty)


def _state(item: dict[str, Any]) -> str:
    return ", ".join(filter(None, (
        item["state"], "locked" if item["lock"] else "", f"ticket {item['ticket']}" if item.get("ticket") else "",
        "answers wrongly" if item["answers"] else "", _bad(item["bad_release"]),
    )))


def _bad(release: dict[str, Any] | None) -> str:
    if release is None:
        return ""
    return "bad release" if release["live"] else "back from a bad release"


@click.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def redeploy(daemon: DaemonAddress, project: str, environment: str, no_wait: bool, as_json: bool) -> None:
    """Deploy what is live in an environment once more. ENVIRONMENT is its branch or its machine name."""
    made = ask(daemon, lambda client: client.post(environment_path(project, environment, "redeploy")))
    started(daemon, made, wait=not no_wait, as_json=as_json)


@click.command("push-again")
@daemon_options
@click.argument("activity", type=click.IntRange(min=1))
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def push_again(daemon: DaemonAddress, activity: int, no_wait: bool, as_json: bool) -> None:
    """Deploy the commit of a push that has ended once more, as if it were pushed now. ACTIVITY is its number."""
    found = ask(daemon, lambda client: client.get(f"/api/v1/activities/{activity}"))
    made = ask(daemon, lambda client: client.post(
        environment_path(found["project"], found["environment"], "push-again"), {"push": activity},
    ))
    started(daemon, made, wait=not no_wait, as_json=as_json)


@click.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.option("--to", type=click.IntRange(min=1),
              help="Activity whose version is wanted; without it, the version before the live one.")
@click.option("--lock/--no-lock", "locks", default=None,
              help="Whether pushes wait from now on until `deployd unlock`; production is locked unless you say no.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def rollback(
    daemon: DaemonAddress, project: str, environment: str, to: int | None, locks: bool | None, no_wait: bool,
    as_json: bool,
) -> None:
    """Take an environment back to an earlier version.

    Nothing is built: the version's slugs are stored. ENVIRONMENT is its branch or its machine name. Production is
    locked with it, so that the next push does not take the rollback away: it is built, and waits for `deployd unlock`.
    """
    made = ask(daemon, lambda client: client.post(
        environment_path(project, environment, "rollback"), {"to": to, "lock": locks},
    ))
    started(daemon, made, wait=not no_wait, as_json=as_json)


@click.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.option("--reason", default="", help="Why; everybody who pushes reads it.")
@click.option("--until", help="When it ends by itself: 2026-12-01T06:00+01:00, or without an offset in your own time.")
@json_option
def lock(
    daemon: DaemonAddress, project: str, environment: str, reason: str, until: str | None, as_json: bool,
) -> None:
    """Keep what is live: pushes are taken and built, and wait until `deployd unlock`.

    Redeploys and rollbacks that somebody asks for are not held. ENVIRONMENT is its branch or its machine name.
    """
    body = {"reason": reason, "until": moment(until)}
    found = ask(daemon, lambda client: client.post(environment_path(project, environment, "lock"), body))
    if as_json:
        show_json(found)
        return
    click.echo(f"{project}/{found['branch']} is locked: pushes are built and wait; "
               f"`deployd unlock {project} {found['branch']}` lets them go live")
    for number in found["activities"]:
        click.echo(f"activity {number} runs already and is held only if it is not past its build; "
                   f"`deployd cancel {number}` ends it before its switch")


@click.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@json_option
def unlock(daemon: DaemonAddress, project: str, environment: str, as_json: bool) -> None:
    """Let pushes go live again; the one that was built and waits goes on at once.

    ENVIRONMENT is its branch or its machine name.
    """
    found = ask(daemon, lambda client: client.post(environment_path(project, environment, "unlock")))
    if as_json:
        show_json(found)
        return
    click.echo(f"{project}/{found['branch']} is unlocked")
    for number in found["activities"]:
        click.echo(f"activity {number} goes on: deployd log -f {number}")


@click.command("pass")
@daemon_options
@click.argument("project")
@click.argument("environment")
@json_option
def operator_pass(daemon: DaemonAddress, project: str, environment: str, as_json: bool) -> None:
    """Links that show you a new version while visitors wait for it, or see the maintenance page.

    Who opens one within ten minutes gets a cookie for that site, good for four hours. ENVIRONMENT is its branch or its
    machine name.
    """
    made = ask(daemon, lambda client: client.post(environment_path(project, environment, "pass")))
    if as_json:
        show_json(made)
    else:
        click.echo("\n".join(made["links"]))
