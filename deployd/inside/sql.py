"""The client of a database in its application's container, with what the application itself comes in with. Pure.

In the application's container and not in the database's: from there one gets no further than the application does. The
password is a variable of the client's, and neither in its command line nor on the way to whoever asks.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from deployd.environment.relationships import Related
from deployd.errors import DeployError

VERB = "deployd-sql"
"""The command over SSH that means this."""


class NoClient(DeployError):
    """There is no such relationship, or none with which a client could be started."""

    code: ClassVar[str] = "no-client"


OWN_NETWORK = "--loose-skip-ssl-verify-server-cert"
"""The client warns of a server without a certificate; it is in the environment's own network."""


@dataclass(frozen=True, slots=True)
class SqlAsked:
    relationship: str = ""
    """Empty: the only one, or the first."""
    arguments: tuple[str, ...] = ()
    """For the client."""


@dataclass(frozen=True, slots=True)
class Client:
    argv: tuple[str, ...]
    environment: dict[str, str]


def read_sql(command: str) -> SqlAsked | None:
    """`deployd-sql [RELATIONSHIP] [-- ARGUMENT…]`; None: it is another command."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words[:1] != [VERB]:
        return None
    named, arguments = words[1:], []
    if "--" in named:
        at = named.index("--")
        named, arguments = named[:at], named[at + 1:]
    if len(named) > 1:
        raise NoClient(f"{VERB} takes one relationship, and arguments of the client after --")
    return SqlAsked(named[0] if named else "", tuple(arguments))


def is_sql(command: str) -> bool:
    """Whether `read_sql` takes it for one, usable or not."""
    try:
        return read_sql(command) is not None
    except NoClient:
        return True


def client_of(asked: SqlAsked, relationships: Sequence[Related]) -> Client:
    """
    Raises:
        NoClient: There is no such relationship, or nobody talks with it in lines.
    """
    if asked.relationship:
        found = next((item for item in relationships if item.relationship == asked.relationship), None)
    else:
        usable = [item for item in relationships if item.connection.scheme in CLIENTS and not item.to_application]
        found = min(usable, key=lambda item: list(CLIENTS).index(item.connection.scheme), default=None)
    names = ", ".join(item.relationship for item in relationships) or "none"
    if found is None:
        what = f"there is no relationship {asked.relationship}" if asked.relationship else "there is no database"
        raise NoClient(what, hint=f"relationships of this application: {names}")
    make = CLIENTS.get(found.connection.scheme)
    if make is None:
        raise NoClient(
            f"there is no client for {found.relationship} ({found.type})", hint="`deployd tunnel` leads to it",
        )
    made = make(found)
    return Client((*made.argv, *asked.arguments), made.environment)


def _mysql(found: Related) -> Client:
    either = 'command -v mariadb >/dev/null && exec mariadb "$@"; exec mysql "$@"'
    user, password, path = found.credential.username, found.credential.password, found.credential.path
    return Client(
        ("/bin/sh", "-c", either, "mysql", f"--host={_host(found)}", f"--port={found.port}",
         f"--user={user or ''}", OWN_NETWORK, *([f"--database={path}"] if path else [])),
        {"MYSQL_PWD": password or ""},
    )


def _postgresql(found: Related) -> Client:
    user, password, path = found.credential.username, found.credential.password, found.credential.path
    return Client(
        ("psql", f"--host={_host(found)}", f"--port={found.port}", f"--username={user or ''}",
         f"--dbname={path or user or ''}"),
        {"PGPASSWORD": password or ""},
    )


def _redis(found: Related) -> Client:
    either = 'command -v redis-cli >/dev/null && exec redis-cli "$@"; exec valkey-cli "$@"'
    password = found.credential.password
    return Client(
        ("/bin/sh", "-c", either, "redis-cli", "-h", _host(found), "-p", str(found.port)),
        {"REDISCLI_AUTH": password} if password else {},
    )


def _host(found: Related) -> str:
    return f"{found.relationship}.internal"


CLIENTS = {"mysql": _mysql, "pgsql": _postgresql, "redis": _redis}
"""{scheme of a relationship: its client}, those that people mean first"""
