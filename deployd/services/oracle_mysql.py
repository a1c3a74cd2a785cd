"""MySQL as Oracle releases it. It brings an older one's data up to date by itself when it starts.

Surprise: it offers no TLS. Clients of MariaDB insist on a certificate that they can check where a server offers any,
and the network of the environment is the wall. Passwords are exchanged by the server's RSA key then.
"""

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

AS_ROOT = 'MYSQL_PWD="$(cat "$MYSQL_ROOT_PASSWORD_FILE")" exec'
CLIENT = ("sh", "-c", f"{AS_ROOT} mysql --user=root --batch --skip-column-names")
PRIVILEGES = Privileges(
    shape=("CREATE", "DROP", "ALTER", "REFERENCES", "CREATE VIEW", "CREATE ROUTINE", "ALTER ROUTINE"),
    replicate=("REPLICATION SLAVE", "REPLICATION CLIENT"),
    lead=("REPLICATION_SLAVE_ADMIN",),
    revoke="REVOKE IF EXISTS",
)
OF_MARIADB = ("optimizer-use-condition-selectivity", "wsrep-sync-wait")


class OracleMySql:
    """`oracle-mysql`"""

    connection = Connection("mysql", PORT, {"is_master": True})

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        # While an official image prepares its data, a server without networking answers on the socket: not ready yet.
        asked = "mysql --user=root --batch --skip-column-names --execute='SELECT @@skip_networking' 2>/dev/null"
        return Parts(
            usual_seconds=8.0,
            port=PORT,
            health=health(f'test "$({AS_ROOT} {asked})" = 0'),
            command=("mysqld", *_flags(service, memory_mb)),
            environment={"MYSQL_ROOT_HOST": "localhost"},
            secret_environment=("MYSQL_ROOT_PASSWORD_FILE",),
            secret_files={"password": SECRET_FILE},
            volume_path="/var/lib/mysql",
            tmpfs=RUN_AND_TMP,
            open_files=16_384,
            crash_safe=True,
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return ACCOUNTS.credentials(service, secret)

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        own = " AND User NOT LIKE 'mysql.%'"
        users = await execute(CLIENT, USERS.format(but_for=own).encode())
        granted = granted_of(await execute(CLIENT, GRANTS.encode()))
        await execute(CLIENT, statements(service, credentials, users.decode().splitlines(), granted, PRIVILEGES))

    def copying(self, service: Service) -> Copying | None:
        dump = (f"{AS_ROOT} mysqldump --user=root --single-transaction --quick --routines --events --triggers "
                '--hex-blob --set-gtid-purged=OFF --databases "$@"')
        return Copying(("sh", "-c", dump, "sh", *service.schemas), CLIENT) if service.schemas else None


def _flags(service: Service, memory_mb: int) -> Iterator[str]:
    pool = max(32, memory_mb * 35 // 100)   # it needs 150 MB beside that
    yield f"--innodb-buffer-pool-size={pool}M"
    yield f"--innodb-redo-log-capacity={min(1024, max(16, pool // 2))}M"
    yield f"--max-connections={min(500, max(50, memory_mb // 4))}"
    yield "--skip-name-resolve"
    yield "--performance-schema=OFF"
    yield "--tls-version="
    yield "--loose-innodb-numa-interleave=OFF"   # no container may
    if not any(level.startswith("replication") for item in service.endpoints for level in item.privileges.values()):
        yield "--disable-log-bin"           # of the disk that the project pays for
    yield from flags_of_properties(service.configured(MysqlConfiguration).properties, OF_MARIADB)
