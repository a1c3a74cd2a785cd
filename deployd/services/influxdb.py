"""InfluxDB 1.x: one administrator, as on the hosted platforms, who makes the databases that he needs."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service
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
from deployd.units import MEGABYTE

PORT = 8086
DATA = "/var/lib/influxdb"
ACCOUNTS = Accounts("influxdb", "admin")
OPERATOR = "deployd"
"""Nobody is told his password."""
PASSWORD = '"$(cat "$INFLUXDB_ADMIN_PASSWORD_FILE")"'
# No image knows a file of it; the variable is that of one process and of no `docker inspect`.
START = f'INFLUXDB_ADMIN_PASSWORD={PASSWORD} exec /entrypoint.sh influxd'
CLIENT = ("sh", "-c", f'INFLUX_USERNAME={OPERATOR} INFLUX_PASSWORD={PASSWORD} exec influx -format=csv')
# It ends with 0 whatever the server says.
QUERIES = ("sh", "-c", f"""\
said=$(INFLUX_USERNAME={OPERATOR} INFLUX_PASSWORD={PASSWORD} influx 2>&1) && case $said in
    *ERR:*) false ;;
esac || {{ printf '%s\\n' "$said" >&2; exit 1; }}""")


class InfluxDb:
    """`influxdb`"""

    connection = Connection("http", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        return Parts(
            usual_seconds=4.0,
            port=PORT,
            # While the data are prepared, a server answers on another port: not ready yet.
            health=health(f"(exec 3<>/dev/tcp/127.0.0.1/{PORT})", "bash"),
            command=("sh", "-c", START),
            environment={
                "INFLUXDB_ADMIN_USER": OPERATOR,
                "INFLUXDB_HTTP_AUTH_ENABLED": "true",
                "INFLUXDB_DATA_INDEX_VERSION": "tsi1",   # else every series has its place in memory
                "INFLUXDB_DATA_CACHE_MAX_MEMORY_SIZE": str(memory_mb * MEGABYTE // 4),
                "INFLUXDB_REPORTING_DISABLED": "true",
            },
            secret_environment=("INFLUXDB_ADMIN_PASSWORD_FILE",),
            secret_files={"password": SECRET_FILE},
            volume_path=DATA,
            tmpfs=RUN_AND_TMP,
            open_files=16_384,
            crash_safe=True,
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return ACCOUNTS.credentials(service, secret)

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        said = (await execute(CLIENT, b"SHOW USERS\n")).decode()
        there = {line.partition(",")[0].strip('"') for line in said.splitlines()}
        for item in service.endpoints:
            user, password = str(credentials[item.name].username), _text(credentials[item.name].password or "")
            made = f'SET PASSWORD FOR "{user}" = {password}\n'
            if user not in there:
                made = f'CREATE USER "{user}" WITH PASSWORD {password} WITH ALL PRIVILEGES\n'
            await execute(QUERIES, made.encode())

    def copying(self, service: Service) -> Copying | None:
        return None   # its backup is a folder; its files are safe to copy


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
