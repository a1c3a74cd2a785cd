"""MariaDB: schemas, one user for each endpoint, and the privileges of its level on each schema.

Surprise: provisioning runs while visitors are served. So nothing is revoked that is granted again: what a level has is
granted first, what it does not have is revoked after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import MysqlConfiguration, MysqlProperties, Service
from deployd.services.family import (
    RUN_AND_TMP,
    SECRET_FILE,
    Accounts,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)

PORT = 3306
ACCOUNTS = Accounts("mysql", "user")
# A container of an earlier deployd has the password itself in its environment.
AS_ROOT = 'MYSQL_PWD="${MARIADB_ROOT_PASSWORD-$(cat "$MARIADB_ROOT_PASSWORD_FILE")}" exec'
CLIENT = ("sh", "-c", f"{AS_ROOT} mariadb --user=root --batch --skip-column-names")

READ = ("SELECT", "CREATE TEMPORARY TABLES", "SHOW VIEW")
WRITE = ("INSERT", "UPDATE", "DELETE", "EVENT", "EXECUTE", "INDEX", "TRIGGER", "LOCK TABLES")
SHAPE = ("CREATE", "DROP", "ALTER", "REFERENCES", "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "DELETE HISTORY")
REPLICATE = ("REPLICATION SLAVE", "BINLOG MONITOR", "SLAVE MONITOR")
LEAD = ("REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN")
LEVELS = {
    "ro": READ, "rw": READ + WRITE, "admin": READ + WRITE + SHAPE, "replication": READ, "replication-admin": READ,
}
SERVER_LEVELS = {"replication": REPLICATE, "replication-admin": REPLICATE + LEAD}

USERS = "SELECT DISTINCT User FROM mysql.user WHERE Host = '%' AND User NOT IN ('', 'root') AND is_role = 'N'"
GRANTS = "SELECT User, Db FROM mysql.db WHERE Host = '%'"



class MariaDb:
    """`mariadb`, and `mysql`, which is read as `mariadb`."""

    connection = Connection("mysql", PORT, {"is_master": True})

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        # While an official image prepares its data, a server without networking answers on the socket: not ready yet.
        networking = "--execute='SELECT @@skip_networking' 2>/dev/null"
        ready = f'test "$({AS_ROOT} mariadb --user=root --batch --skip-column-names {networking})" = 0'
        return Parts(
            usual_seconds=4.0,
            port=PORT,
            health=health(ready),
            command=("mariadbd", *_flags(service, memory_mb)),
            environment={"MARIADB_ROOT_HOST": "localhost"},
            secret_environment=("MARIADB_ROOT_PASSWORD_FILE",),
            secret_files={"password": SECRET_FILE},
            volume_path="/var/lib/mysql",
            tmpfs=RUN_AND_TMP,
            open_files=16_384,
            crash_safe=True,
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return ACCOUNTS.credentials(service, secret)

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        users = (await execute(CLIENT, USERS.encode())).decode().splitlines()
        rows = (line.split("\t") for line in (await execute(CLIENT, GRANTS.encode())).decode().splitlines())
        # The client's batch mode doubles the backslash that stands before each `_` of a grant.
        granted = {(row[0], row[1].replace("\\\\", "\\")) for row in rows if len(row) > 1}
        statements = [*_schemas(service), *_users(service, credentials, users), *_grants(service, granted)]
        await execute(CLIENT, "".join(f"{statement};\n" for statement in statements).encode())

    def copying(self, service: Service) -> Copying | None:
        dump = (f"{AS_ROOT} mariadb-dump --user=root --single-transaction --quick --routines --events --triggers "
                '--hex-blob --databases "$@"')
        return Copying(("sh", "-c", dump, "sh", *service.schemas), CLIENT) if service.schemas else None


def _flags(service: Service, memory_mb: int) -> Iterator[str]:
    pool = max(32, memory_mb * 45 // 100)
    yield f"--innodb-buffer-pool-size={pool}M"
    yield f"--innodb-log-file-size={min(512, max(16, pool // 4))}M"
    yield f"--max-connections={min(500, max(50, memory_mb // 4))}"
    yield "--skip-name-resolve"         # a lookup of each client's address would wait for the network's DNS
    yield "--performance-schema=OFF"    # 100 MB that nobody looks at
    yield f"--aria-pagecache-buffer-size={16 if memory_mb < 1024 else 64}M"
    yield from _flags_of_properties(service.configured(MysqlConfiguration).properties)


def _flags_of_properties(properties: MysqlProperties) -> Iterator[str]:
    """In an order that stays: with another one, each container would be made anew."""
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
    return (f"--{name}={value}" for name, value in flags.items() if value is not None)


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


def _grants(service: Service, there: set[tuple[str, str]]) -> Iterator[str]:
    wanted = set()
    for endpoint in service.endpoints:
        user = ACCOUNTS.user_of(endpoint.name)
        server: set[str] = set()
        for schema, level in endpoint.privileges.items():
            wanted.add((user, _pattern(schema)))
            server |= set(SERVER_LEVELS.get(level, ()))
            target = f"`{_pattern(schema)}`.*"
            yield f"GRANT {', '.join(LEVELS[level])} ON {target} TO {_user(user)}"
            excess = [right for right in READ + WRITE + SHAPE if right not in LEVELS[level]]
            if excess:
                yield f"REVOKE {', '.join(excess)} ON {target} FROM {_user(user)}"
        if server:
            yield f"GRANT {', '.join(sorted(server))} ON *.* TO {_user(user)}"
        yield f"REVOKE {', '.join(sorted(set(REPLICATE + LEAD) - server)) or 'USAGE'} ON *.* FROM {_user(user)}"
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
