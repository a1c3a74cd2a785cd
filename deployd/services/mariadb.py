"""MariaDB: a newer one takes the data of an older one, and brings its own tables up to date when it is provisioned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import MysqlConfiguration, Service
from deployd.services.family import (
    RUN_AND_TMP,
    SECRET_FILE,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)
from deployd.services.mysql_statements import (
    ACCOUNTS,
    GRANTS,
    PORT,
    USERS,
    Privileges,
    flags_of_properties,
    granted_of,
    statements,
)

# A container of an earlier deployd has the password itself in its environment.
AS_ROOT = 'MYSQL_PWD="${MARIADB_ROOT_PASSWORD-$(cat "$MARIADB_ROOT_PASSWORD_FILE")}" exec'
CLIENT = ("sh", "-c", f"{AS_ROOT} mariadb --user=root --batch --skip-column-names")

PRIVILEGES = Privileges(
    shape=("CREATE", "DROP", "ALTER", "REFERENCES", "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "DELETE HISTORY"),
    replicate=("REPLICATION SLAVE", "BINLOG MONITOR", "SLAVE MONITOR"),
    lead=("REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN"),
)
UPGRADE = f"""\
mariadb-upgrade --help 2>&1 | grep -q check-if-upgrade || exit 0
({AS_ROOT} mariadb-upgrade --user=root --check-if-upgrade-is-needed --silent) || exit 0
{AS_ROOT} mariadb-upgrade --user=root --upgrade-system-tables --skip-version-check --silent"""
"""The server's own tables, when an older one made them, as the official image does it. Those of projects stay."""


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
        await execute(("sh", "-c", UPGRADE))
        users = await execute(CLIENT, USERS.format(but_for=" AND is_role = 'N'").encode())
        granted = granted_of(await execute(CLIENT, GRANTS.encode()))
        await execute(CLIENT, statements(service, credentials, users.decode().splitlines(), granted, PRIVILEGES))

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
    yield from flags_of_properties(service.configured(MysqlConfiguration).properties)
