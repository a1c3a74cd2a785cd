"""ClickHouse: databases, and one user for each endpoint, in the server's file of users, which every version reads.

    admin   everything on its databases
    rw      everything but DDL
    ro      reads, and may change settings of its queries

The administrator is known on the loopback of the container alone. Queries get there as well, by `remote` and `url`, so
he has a password, another one for each start, which is in the memory of the container.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import ClickhouseConfiguration, Endpoint, Service
from deployd.services.family import (
    RUN_AND_TMP,
    Accounts,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)
from deployd.units import MEGABYTE

NATIVE, HTTP = 9000, 8123
BOTH = ("clickhouse", "clickhouse-http")
"""The endpoints of a service that defines none: two ways in for one user."""
ACCOUNTS = Accounts("clickhouse", "main")
DATA = "/var/lib/clickhouse"
USERS = f"{DATA}/deployd-users.xml"
ADMINISTRATOR = "/run/deployd-administrator"
CLIENT = f'clickhouse-client --password="$(cat {ADMINISTRATOR})"'
# Whole at once: the server looks every few seconds whether it changed.
WRITE = f"cat > {USERS}.new && chmod 644 {USERS}.new && mv {USERS}.new {USERS}"

# `yandex` is what the root of these files was called, and newer versions read it as well.
FILE = """\
<yandex>
  <profiles>
    <default><max_memory_usage>{memory}</max_memory_usage></default>
    <admin><profile>default</profile></admin>
    <rw><profile>default</profile><allow_ddl>0</allow_ddl></rw>
    <ro><profile>default</profile><readonly>2</readonly></ro>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>{administrator}<networks><ip>127.0.0.1</ip><ip>::1</ip></networks><profile>default</profile><quota>default</quota></default>
{users}  </users>
</yandex>
"""
USER = """\
    <{name}>
      <password_sha256_hex>{password}</password_sha256_hex>
      <networks><ip>::/0</ip></networks><profile>{level}</profile><quota>default</quota>
      <allow_databases>{databases}</allow_databases>
    </{name}>
"""
NOBODY_YET = "<password/>"
IS_ADMINISTRATOR = re.compile(r"<default>(<password[^\n]*?)<networks>")
# He gets his password before the server runs, whatever is in the volume.
START = f"""\
(umask 077 && head -c 32 /dev/urandom | sha256sum | cut -c -64 | tr -d '\\n' > {ADMINISTRATOR}) || exit 1
[ -s {USERS} ] || printf %s "$1" > {USERS}
is="<password_sha256_hex>$(sha256sum < {ADMINISTRATOR} | cut -c -64)</password_sha256_hex>"
sed "s,<default><password.*<networks>,<default>$is<networks>," {USERS} > {USERS}.new && chmod 644 {USERS}.new &&
    mv {USERS}.new {USERS} || exit 1
shift; exec /entrypoint.sh -- "$@\""""
NO_DATABASE = "-"
"""No name of one: without any, the server lets a user into all."""


class ClickHouse:
    """`clickhouse`"""

    connection = Connection("http", NATIVE, {"is_master": True})

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        flags = {
            "users_config": USERS, "listen_host": "0.0.0.0", "mark_cache_size": memory_mb * MEGABYTE // 16,
            "max_server_memory_usage": memory_mb * MEGABYTE * 9 // 10,
        }
        first = FILE.format(memory=_memory(memory_mb), users="", administrator=NOBODY_YET)
        return Parts(
            usual_seconds=4.0,
            port=NATIVE,
            health=health(f"test \"$({CLIENT} --query='SELECT 1' 2>/dev/null)\" = 1"),
            command=("sh", "-c", START, "sh", first, *(f"--{name}={value}" for name, value in flags.items())),
            volume_path=DATA,
            tmpfs=RUN_AND_TMP,
            open_files=16_384,
            crash_safe=True,
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {item.name: _credential(service, item, secret) for item in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        there = (await execute(("cat", USERS))).decode()
        memory = there.partition("<max_memory_usage>")[2].partition("<")[0]
        found = IS_ADMINISTRATOR.search(there)
        users, administrator = "".join(_users(service, credentials)), found[1] if found else NOBODY_YET
        await execute(
            ("sh", "-c", WRITE), FILE.format(memory=memory, users=users, administrator=administrator).encode(),
        )
        made = [f"CREATE DATABASE IF NOT EXISTS {_name(name)}" for name in service.schemas]
        await execute(("sh", "-c", f"exec {CLIENT} --multiquery"), ";\n".join([*made, "SYSTEM RELOAD CONFIG"]).encode())

    def copying(self, service: Service) -> Copying | None:
        return None   # it has no dump of everything; its files are safe to copy


def _memory(memory_mb: int) -> int:
    """Of one query, in bytes."""
    return memory_mb * MEGABYTE * 8 // 10


def _credential(service: Service, endpoint: Endpoint, secret: Secret) -> Credential:
    ports = service.configured(ClickhouseConfiguration).ports
    port = ports.get(endpoint.name, HTTP if endpoint.name == BOTH[1] else NATIVE)
    owner = BOTH[0] if endpoint.name in BOTH else endpoint.name   # one user, by whichever way he comes
    return Credential(ACCOUNTS.user_of(owner), secret(owner), endpoint.default, port=port)


def _users(service: Service, credentials: Mapping[str, Credential]) -> Iterator[str]:
    told = set()
    for endpoint in service.endpoints:
        credential = credentials[endpoint.name]
        if credential.username in told:
            continue
        told.add(credential.username)
        levels = {*endpoint.privileges.values()}
        yield USER.format(
            name=credential.username, password=hashlib.sha256((credential.password or "").encode()).hexdigest(),
            level="admin" if "admin" in levels else "rw" if "rw" in levels else "ro",
            databases="".join(f"<database>{escape(name)}</database>" for name in endpoint.privileges or (NO_DATABASE,)),
        )


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
