"""Commands of persons: `people`, `token`, `key` and `whoami`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from deployd.access.roles import EVERY, Role
from deployd.cli.client import Client, DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show, show_json

PEOPLE = ("id", "name", "email", "roles", "left")
TOKENS = ("label", "role", "projects", "ends", "used", "used_from")
KEYS = ("label", "type", "fingerprint", "used", "used_from")
ROLES = [role.value for role in Role]
person_option = click.option("--person", help="Whose; without it one's own.")


@click.group()
def people() -> None:
    """Who there is, and what they may do."""


@people.command("list")
@daemon_options
@json_option
def list_people(daemon: DaemonAddress, as_json: bool) -> None:
    """Persons with their roles."""
    items = ask(daemon, lambda client: client.get("/api/v1/people"))["items"]
    show(items if as_json else [_person_row(item) for item in items], PEOPLE, as_json=as_json)


@people.command("add")
@daemon_options
@click.argument("person")
@click.option("--name", default="", help="As people call them.")
@click.option("--email", default="")
@click.option("--role", "roles", multiple=True, metavar="[PROJECT=]ROLE",
              help=f"{', '.join(ROLES)}; without a project in every one. May be given several times.")
@json_option
def add_person(
    daemon: DaemonAddress, person: str, name: str, email: str, roles: tuple[str, ...], as_json: bool,
) -> None:
    """Take somebody in.

    PERSON is who they are in commands, logs and the audit log: anna, or anna.smith.
    """
    body = {"id": person, "name": name, "email": email, "roles": _roles(roles)}
    made = ask(daemon, lambda client: client.post("/api/v1/people", body))
    if as_json:
        show_json(made)
    else:
        click.echo(f"{person} is there. They need a way in: deployd token add --person {person} laptop")


@people.command("change")
@daemon_options
@click.argument("person")
@click.option("--name", default=None)
@click.option("--email", default=None)
@click.option("--role", "roles", multiple=True, metavar="[PROJECT=]ROLE", help="The role from now on.")
@click.option("--no-role", "without", multiple=True, metavar="PROJECT",
              help=f"None there; {EVERY} is that of the host.")
@json_option
def change_person(
    daemon: DaemonAddress, person: str, name: str | None, email: str | None, roles: tuple[str, ...],
    without: tuple[str, ...], as_json: bool,
) -> None:
    """Change a name, an address, or roles; what is not named stays."""
    wanted = {**_roles(roles), **dict.fromkeys(without)}
    body = {"roles": wanted, **({"name": name} if name is not None else {}),
            **({"email": email} if email is not None else {})}
    _say_person(ask(daemon, lambda client: client.post(_path(person, "change"), body)), as_json=as_json)


@people.command()
@daemon_options
@click.argument("person")
@json_option
def leave(daemon: DaemonAddress, person: str, as_json: bool) -> None:
    """Somebody is gone: their tokens and keys are removed, what they did keeps their name."""
    _say_person(ask(daemon, lambda client: client.post(_path(person, "leave"))), as_json=as_json)


@people.command("return")
@daemon_options
@click.argument("person")
@json_option
def come_back(daemon: DaemonAddress, person: str, as_json: bool) -> None:
    """Take somebody back who left, with their roles and without tokens and keys."""
    _say_person(ask(daemon, lambda client: client.post(_path(person, "return"))), as_json=as_json)


@click.command()
@daemon_options
@json_option
def whoami(daemon: DaemonAddress, as_json: bool) -> None:
    """Who one is for the daemon, and what one may."""
    me = ask(daemon, lambda client: client.get("/api/v1/me"))
    if as_json:
        return show_json(me)
    by = f", by the token {harmless(me['by'])}" if me["by"] else ""
    click.echo(f"{harmless(me['name'])}{by}: {_roles_text(me['roles']) or 'no role anywhere'}")
    return None


@click.group()
def token() -> None:
    """Tokens of persons: what programs, the console and git over HTTP take."""


@token.command("list")
@daemon_options
@person_option
@json_option
def list_tokens(daemon: DaemonAddress, person: str | None, as_json: bool) -> None:
    """Tokens, with when they were used last."""
    found = ask(daemon, lambda client: _person(client, person))
    items = found["tokens"] or []
    show(items if as_json else [_token_row(item) for item in items], TOKENS, as_json=as_json)


@token.command("add")
@daemon_options
@person_option
@click.argument("label")
@click.option("--role", type=click.Choice(ROLES), default="admin", show_default=True,
              help="The most that it does, whatever its owner may.")
@click.option("-p", "--project", "projects", multiple=True, help="What it is for; without it all that its owner sees.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it is good.")
@click.option("--for-ever", is_flag=True, help="Until somebody removes it.")
@json_option
def add_token(
    daemon: DaemonAddress, person: str | None, label: str, role: str, projects: tuple[str, ...], days: int,
    for_ever: bool, as_json: bool,
) -> None:
    """Make a token; it is printed this once.

    LABEL is how you call it: laptop, ci.
    """
    body = {"label": label, "role": role, "projects": list(projects) or [EVERY], "days": None if for_ever else days}
    made = ask(daemon, lambda client: _make_token(client, person, body))
    if as_json:
        return show_json(made)
    click.echo(made["secret"])
    if sys.stderr.isatty():
        click.echo("It is shown this once; deployd keeps no more than its digest.", err=True)
    return None


@token.command("remove")
@daemon_options
@person_option
@click.argument("label")
def remove_token(daemon: DaemonAddress, person: str | None, label: str) -> None:
    """Remove a token; sessions that were begun with it end."""
    ask(daemon, lambda client: _of_person(client, person, "tokens/remove", {"label": label}))
    click.echo(f"the token {harmless(label)} is good for nothing any more")


@click.group()
def key() -> None:
    """SSH keys of persons."""


@key.command("list")
@daemon_options
@person_option
@json_option
def list_keys(daemon: DaemonAddress, person: str | None, as_json: bool) -> None:
    """SSH keys, with when they were used last."""
    found = ask(daemon, lambda client: _person(client, person))
    items = found["keys"] or []
    show(items if as_json else [{**item, "used": _moment(item["used"]) or "never"} for item in items], KEYS,
         as_json=as_json)


@key.command("add")
@daemon_options
@person_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--label", default="", help="How you call it; without it the comment of the key.")
@json_option
def add_key(daemon: DaemonAddress, person: str | None, file: Path, label: str, as_json: bool) -> None:
    """Take the public key of FILE (~/.ssh/id_ed25519.pub; - is what is piped in)."""
    line = sys.stdin.read() if str(file) == "-" else file.read_text(errors="replace")
    made = ask(daemon, lambda client: _of_person(client, person, "keys", {"label": label, "key": line[:20_000]}))
    if as_json:
        return show_json(made)
    for item in made["keys"] or []:
        click.echo(f"{item['fingerprint']}  {harmless(item['label'])}")
    return None


@key.command("remove")
@daemon_options
@person_option
@click.argument("label")
def remove_key(daemon: DaemonAddress, person: str | None, label: str) -> None:
    """Remove a key, by its LABEL or its fingerprint; its connections end."""
    ask(daemon, lambda client: _of_person(client, person, "keys/remove", {"label": label}))
    click.echo(f"the key {harmless(label)} opens nothing any more")


async def _person(client: Client, person: str | None) -> dict[str, Any]:
    """One's own, or somebody else's.

    Raises:
        UsageError: There is no such person, or one is none.
    """
    if person is None:
        me = (await client.get("/api/v1/me"))["person"]
        if me is None:
            raise click.UsageError("you are here as no person: say whose with --person")
        return dict(me)
    everybody = (await client.get("/api/v1/people"))["items"]
    found = next((item for item in everybody if item["id"] == person), None)
    if found is None:
        raise click.UsageError(f"there is no person {harmless(person)}: deployd people list shows who there is")
    if found["tokens"] is None:
        raise click.UsageError(f"tokens and keys of {person} are for {person} and for admins of the host")
    return dict(found)


async def _of_person(client: Client, person: str | None, what: str, body: dict[str, Any]) -> Any:
    return await client.post(_path(await _whose(client, person), what), body)


async def _make_token(client: Client, person: str | None, body: dict[str, Any]) -> Any:
    return await client.post_for_secret(_path(await _whose(client, person), "tokens"), body)


async def _whose(client: Client, person: str | None) -> str:
    return person if person is not None else str((await _person(client, None))["id"])


def _path(person: str, what: str) -> str:
    return f"/api/v1/people/{quote(person, safe='')}/{what}"


def _roles(given: tuple[str, ...]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for text in given:
        project, _, role = text.rpartition("=")
        if role not in ROLES:
            raise click.BadParameter(f"{role!r} is no role: one of {', '.join(ROLES)}", param_hint="--role")
        found[project or EVERY] = role
    return found


def _say_person(person: dict[str, Any], *, as_json: bool) -> None:
    show([person if as_json else _person_row(person)], PEOPLE, as_json=as_json)


def _person_row(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "roles": _roles_text(item["roles"]), "left": _moment(item["left"])}


def _token_row(item: dict[str, Any]) -> dict[str, Any]:
    ends = "over" if item["is_over"] else _moment(item["ends"]) or "never"
    return {**item, "projects": ", ".join(item["projects"]), "ends": ends, "used": _moment(item["used"]) or "never"}


def _roles_text(roles: dict[str, str]) -> str:
    return ", ".join(role if project == EVERY else f"{project}: {role}" for project, role in sorted(roles.items()))


def _moment(text: str | None) -> str:
    return text[:16].replace("T", " ") if text else ""
