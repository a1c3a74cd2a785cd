"""Schemas, users and grants as MariaDB and MySQL take them: one user for each endpoint, and the privileges
of its level on each schema.

Surprise: provisioning runs while visitors are served. So nothing is revoked that is granted again: what a level has is
granted first, what it does not have is revoked after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployd.environment.relationships import Credential
from deployd.project.model import MysqlProperties, Service
from deployd.services.family import Accounts

PORT = 3306
ACCOUNTS = Accounts("mysql", "user")
READ = ("SELECT", "CREATE TEMPORARY TABLES", "SHOW VIEW")
WRITE = ("INSERT", "UPDATE", "DELETE", "EVENT", "EXECUTE", "INDEX", "TRIGGER", "LOCK TABLES")
USERS = "SELECT DISTINCT User FROM mysql.user WHERE Host = '%' AND User NOT IN ('', 'root'){but_for}"
GRANTS = "SELECT User, Db FROM mysql.db WHERE Host = '%'"


@dataclass(frozen=True, slots=True)
class Privileges:
    """What the levels of endpoints mean, in the words of one server."""

    shape: tuple[str, ...]
    """On a schema, beside reading and writing: what only `admin` may."""
    replicate: tuple[str, ...]
    """On the server: `replication`."""
    lead: tuple[str, ...]
    """Beside that: `replication-admin`."""

    def on_schema(self, level: str) -> tuple[str, ...]:
        return {"rw": READ + WRITE, "admin": READ + WRITE + self.shape}.get(level, READ)

    def on_server(self, level: str) -> tuple[str, ...]:
        return {"replication": self.replicate, "replication-admin": self.replicate + self.lead}.get(level, ())


def granted_of(rows: bytes) -> set[tuple[str, str]]:
    """{(user, pattern of schemas)} of the answer to `GRANTS`. The client's batch mode doubles the backslash that stands
    before each `_`."""
    found = (line.split("\t") for line in rows.decode().splitlines())
    return {(row[0], row[1].replace("\\\\", "\\")) for row in found if len(row) > 1}


def statements(
    service: Service, credentials: Mapping[str, Credential], users: list[str], granted: set[tuple[str, str]],
    privileges: Privileges,
) -> bytes:
    """All that must be said to a server that has these users and grants."""
    lines = [*_schemas(service), *_users(service, credentials, users), *_grants(service, granted, privileges)]
    return "".join(f"{line};\n" for line in lines).encode()


def flags_of_properties(properties: MysqlProperties, unknown: tuple[str, ...] = ()) -> Iterator[str]:
    """In an order that stays: with another one, each container would be made anew.

    Args:
        unknown: Settings that the server does not have.
    """
    flags = {
        "max-allowed-packet": f"{properties.max_allowed_packet_mb}M",
        "max-heap-table-size": f"{properties.max_heap_table_size_mb}M",
        "character-set-server": properties.default_charset,
        "collation-server": properties.default_collation,
        "table-definition-cache": properties.table_definition_cache,
        "table-open-cache": properties.table_open_cache,
        "optimizer-switch": properties.optimizer_switch,
        "optimizer-use-condition-selectivity": properties.optimizer_use_condition_selectivity,
        "innodb-adaptive-hash-index": properties.innodb_adaptive_hash_index,
        "wsrep-sync-wait": properties.wsrep_sync_wait,
    }
    return (
        f"--{name}={value}" for name, value in flags.items() if value is not None and name not in unknown
    )


def _schemas(service: Service) -> Iterator[str]:
    return (f"CREATE DATABASE IF NOT EXISTS {_name(schema)}" for schema in service.schemas)


def _users(service: Service, credentials: Mapping[str, Credential], there: list[str]) -> Iterator[str]:
    wanted = {}
    for endpoint in service.endpoints:
        credential = credentials[endpoint.name]
        wanted[str(credential.username)] = credential
        user = _user(str(credential.username))
        yield f"CREATE USER IF NOT EXISTS {user}"
        yield f"ALTER USER {user} IDENTIFIED BY {_text(credential.password or '')}"
    for name in there:
        if name not in wanted:
            yield f"DROP USER IF EXISTS {_user(name)}"


def _grants(service: Service, there: set[tuple[str, str]], privileges: Privileges) -> Iterator[str]:
    on_server = privileges.replicate + privileges.lead
    wanted = set()
    for endpoint in service.endpoints:
        user = ACCOUNTS.user_of(endpoint.name)
        server: set[str] = set()
        for schema, level in endpoint.privileges.items():
            wanted.add((user, _pattern(schema)))
            server |= set(privileges.on_server(level))
            target = f"`{_pattern(schema)}`.*"
            held = privileges.on_schema(level)
            yield f"GRANT {', '.join(held)} ON {target} TO {_user(user)}"
            excess = [right for right in READ + WRITE + privileges.shape if right not in held]
            if excess:
                yield f"REVOKE {', '.join(excess)} ON {target} FROM {_user(user)}"
        if server:
            yield f"GRANT {', '.join(sorted(server))} ON *.* TO {_user(user)}"
        yield f"REVOKE {', '.join(sorted(set(on_server) - server)) or 'USAGE'} ON *.* FROM {_user(user)}"
    users = {ACCOUNTS.user_of(endpoint.name) for endpoint in service.endpoints}
    for user, pattern in sorted(there - wanted):
        if user in users:
            yield f"REVOKE ALL PRIVILEGES ON `{pattern}`.* FROM {_user(user)}"


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _pattern(schema: str) -> str:
    """A schema where a pattern is expected: `_` is any character there."""
    return schema.replace("`", "``").replace("_", "\\_")


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _user(name: str) -> str:
    return f"{_text(name)}@'%'"
