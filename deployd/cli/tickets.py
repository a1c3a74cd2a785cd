"""`promote`, `can-i` and `ticket`: what becomes live in protected environments."""

from __future__ import annotations

import sys
from typing import Any

import click

from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option, project_option
from deployd.cli.exit_status import FAILED
from deployd.cli.output import harmless, moment, show, show_json

PATH = "/api/v1/tickets"
COLUMNS = ("id", "project", "branch", "commit", "subject", "state", "asked_by", "asked_at", "waits")
SHORT = 8


@click.command()
@daemon_options
@click.argument("project")
@click.argument("source")
@click.argument("environment")
@click.option("-m", "--comment", default="", help="What whoever approves should know.")
@click.option("--at", help="Not before this moment: 2026-12-01T06:00+01:00, or without an offset in your own time.")
@click.option("--emergency", default="", metavar="REASON",
              help="Wait for no approval, window or lock; for admins, and the reason stands in the audit log.")
@json_option
def promote(
    daemon: DaemonAddress, project: str, source: str, environment: str, comment: str, at: str | None, emergency: str,
    as_json: bool,
) -> None:
    """Ask that what SOURCE has becomes live in a protected ENVIRONMENT.

    SOURCE is a branch (`main`) or a commit. It is built at once where that is needed, and goes live when its gate
    opens: `deployd ticket show` says what it waits for.
    """
    body = {"source": source, "comment": comment, "at": moment(at), "emergency": emergency}
    made = ask(daemon, lambda client: client.post(environment_path(project, environment, "promote"), body))
    if as_json:
        show_json(made)
        return
    way = " → ".join(harmless(stage["branch"]) for stage in made["stages"])
    click.echo(f"ticket {made['id']}: {made['commit'][:SHORT]} of {harmless(made['source'])} → {way}")
    click.echo(f"activity {made['activity']} builds what is not built yet: deployd log -f {made['activity']}")
    click.echo(f"then it waits for its gate: deployd ticket show {made['id']}")


@click.group("can-i")
def can_i() -> None:
    """Whether something could be done now, and what stands in the way."""


@can_i.command("promote")
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.option("--source", default="", help="A branch or a commit; without it, what the environment takes commits from.")
@json_option
def can_promote(daemon: DaemonAddress, project: str, environment: str, source: str, as_json: bool) -> None:
    """What stands in the way of a promotion; ends with 1 when something does."""
    path = environment_path(project, environment, "can-promote")
    found = ask(daemon, lambda client: client.get(path, source=source or None))
    if as_json:
        show_json(found)
    else:
        _show_can(found)
    sys.exit(0 if found["allowed"] else FAILED)


def _show_can(found: dict[str, Any]) -> None:
    what = f"{found['commit'][:SHORT]} of {harmless(found['source'])} → {' → '.join(map(harmless, found['stages']))}"
    if found["allowed"]:
        click.echo(f"yes: nothing stands in the way of {what}")
    else:
        click.echo(f"not at once: {what}")
    _show_obstacles(found["obstacles"])
    if found["windows"]:
        click.echo(f"windows: {found['windows']}")
    if found["ticket"] is not None:
        click.echo(f"ticket {found['ticket']} is open there, and a new promotion takes its place")


@click.group()
def ticket() -> None:
    """Tickets: what waits to become live in protected environments."""


@ticket.command("list")
@daemon_options
@project_option
@click.option("-e", "--environment", help="Only of this one: its branch or its machine name.")
@click.option("-a", "--all", "all_of_them", is_flag=True, help="Also those that have ended.")
@json_option
def list_tickets(
    daemon: DaemonAddress, project: str | None, environment: str | None, all_of_them: bool, as_json: bool,
) -> None:
    """Tickets that are open, newest first."""
    query = {"project": project, "environment": environment, "open": None if all_of_them else 1}
    found = ask(daemon, lambda client: client.get(PATH, **query))["items"]
    if as_json:
        show_json(found)
        return
    show([{**item, "waits": _waits(item)} for item in found], COLUMNS, as_json=False)


@ticket.command("show")
@daemon_options
@click.argument("number", type=click.IntRange(min=1))
@json_option
def show_ticket(daemon: DaemonAddress, number: int, as_json: bool) -> None:
    """What a ticket would make live, how that differs from its source, and what stands in its way."""
    found = ask(daemon, lambda client: client.get(f"{PATH}/{number}"))
    if as_json:
        show_json(found)
    else:
        _show_page(found)


@ticket.command()
@daemon_options
@click.argument("number", type=click.IntRange(min=1))
@click.option("--digest", help="Of what you looked at; without it, of what is shown and asked about now.")
@click.option("-m", "--comment", default="", help="For those who look at it later.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def approve(
    daemon: DaemonAddress, number: int, digest: str | None, comment: str, yes: bool, as_json: bool,
) -> None:
    """Let what a ticket offers become live. It is shown first."""
    if digest is None:
        seen = ask(daemon, lambda client: client.get(f"{PATH}/{number}"))
        digest = str(seen["ticket"]["digest"])
        if not as_json:
            _show_page(seen)
        if not yes:
            click.confirm("\nApprove exactly this?", abort=True)
    _done(daemon, number, "approve", {"digest": digest, "comment": comment}, as_json=as_json)


@ticket.command()
@daemon_options
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", required=True, help="Why not; who asked reads it.")
@json_option
def decline(daemon: DaemonAddress, number: int, reason: str, as_json: bool) -> None:
    """End somebody's ticket, with a reason."""
    _done(daemon, number, "decline", {"reason": reason}, as_json=as_json)


@ticket.command()
@daemon_options
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", default="", help="Why.")
@json_option
def withdraw(daemon: DaemonAddress, number: int, reason: str, as_json: bool) -> None:
    """Take your own ticket back."""
    _done(daemon, number, "withdraw", {"reason": reason}, as_json=as_json)


@ticket.command()
@daemon_options
@click.argument("number", type=click.IntRange(min=1))
@click.argument("at")
@json_option
def schedule(daemon: DaemonAddress, number: int, at: str, as_json: bool) -> None:
    """Let a ticket become live AT a moment (2026-12-01T06:00+01:00), and not before; `now`: as soon as it may."""
    _done(daemon, number, "schedule", {"at": None if at == "now" else moment(at)}, as_json=as_json)


@ticket.command()
@daemon_options
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", required=True, help="Why it cannot wait; it stands in the audit log.")
@json_option
def emergency(daemon: DaemonAddress, number: int, reason: str, as_json: bool) -> None:
    """Let a ticket become live without approvals, outside of windows, over a lock. What is not merged never does."""
    _done(daemon, number, "emergency", {"reason": reason}, as_json=as_json)


def _done(daemon: DaemonAddress, number: int, what: str, body: dict[str, Any], *, as_json: bool) -> None:
    found = ask(daemon, lambda client: client.post(f"{PATH}/{number}/{what}", body))
    if as_json:
        show_json(found)
        return
    click.echo(f"ticket {number} is {_state(found)}")
    _show_obstacles(found["obstacles"])
    if found["state"] == "waiting" and not found["obstacles"]:
        click.echo(f"nothing stands in its way: deployd log -f {found['activity']}")


def _show_page(page: dict[str, Any]) -> None:
    found = page["ticket"]
    lines = [
        f"ticket {found['id']}: {found['commit'][:SHORT]} {found['subject']}",
        f"  from      {found['source']}, to {' → '.join(_stage(item, found) for item in found['stages'])}",
        f"  state     {_state(found)}",
        f"  asked by  {found['asked_by']}, {_short(found['asked_at'])}" + (
            f": {found['comment']}" if found["comment"] else ""),
        *(f"  approved  by {item['who']}, {_short(item['at'])}{_comment(item)}" for item in found["approvals"]),
        *([f"  not before {_short(found['not_before'])}"] if found["not_before"] else []),
        *([f"  EMERGENCY by {found['emergency_by']}: {found['emergency_why']}"] if found["emergency_by"] else []),
        *([f"  expires   {_short(found['expires_at'])}"] if found["is_open"] else []),
        *([f"  digest    {found['digest']}"] if found["digest"] else []),
        *([f"  commits   {page['count']}, by {', '.join(page['authors'][:10])}"] if page["count"] else []),
        *(f"            {item['commit'][:SHORT]} {item['subject']} ({item['author']})"
          for item in page["commits"][:20]),
        *([f"  ! {page['back']} commits that are live now would not be any more"] if page["back"] else []),
        *(f"  slug      {item['application']}: {item['where']}" for item in page["slugs"]),
        *(f"  plan      {line}" for line in page["plan"]),
        *(f"  differs   {line}" for line in page["differs"]),
    ]
    click.echo("\n".join(map(harmless, lines)))
    _show_obstacles(found["obstacles"])


def _show_obstacles(obstacles: list[dict[str, Any]]) -> None:
    for item in obstacles:
        click.echo(f"  ✗ {harmless(item['what'])}\n    hint: {harmless(item['hint'])}")


def _stage(stage: dict[str, Any], found: dict[str, Any]) -> str:
    now = found["stages"].index(stage) == found["stage"] and found["is_open"] and len(found["stages"]) > 1
    return f"{stage['branch']} (now)" if now else str(stage["branch"])


def _state(found: dict[str, Any]) -> str:
    ended = f" by {harmless(found['ended_by'])}" if found["ended_by"] else ""
    return f"{found['state']}{ended}" + (f": {harmless(found['ended_why'])}" if found["ended_why"] else "")


def _comment(item: dict[str, Any]) -> str:
    said = f": {item['comment']}" if item["comment"] else ""
    return said if item["counts"] else f"{said} (does not count any more)"


def _waits(item: dict[str, Any]) -> str:
    return "; ".join(obstacle["what"] for obstacle in item["obstacles"]) or str(item["ended_why"])


def _short(text: str) -> str:
    return text[:16].replace("T", " ")
