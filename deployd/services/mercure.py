"""Mercure: a hub that hands updates to who listens. Tokens are signed with the password of its endpoint.

The key lies in its volume, where provisioning puts it: whoever copies the data to another environment takes it along,
and the next deployment there puts its own into its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import MercureConfiguration, Service
from deployd.services.family import RUN_AND_TMP, Copying, Execute, Parts, Secret, health

PORT = 3000
DATA = "/data"
# Not as root: the hub may write there, and could lead him elsewhere by a link.
HAVE_KEY = f"umask 077; rm -f {DATA}/.key; cat > {DATA}/.key && mv -T {DATA}/.key {DATA}/key"
AS_HUB = ("setpriv", "--reuid=999", "--regid=999", "--clear-groups", "--", "sh", "-c", HAVE_KEY)


class Mercure:
    """`mercure`"""

    connection = Connection("http", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        said = service.configured(MercureConfiguration)
        return Parts(
            usual_seconds=2.0,
            port=PORT,
            health=health(f"curl --silent --fail --max-time 10 --output /dev/null http://127.0.0.1:{PORT}/healthz"),
            command=(
                f"--history-mb={max(16, (service.disk_mb or 256) // 2)}", *(["--anonymous"] if said.anonymous else []),
                *(f"--cors-origin={origin}" for origin in said.cors_origins),
            ),
            volume_path=DATA,
            tmpfs=RUN_AND_TMP,
            open_files=8192,     # each listener is one
            crash_safe=True,     # SQLite with a log that is written ahead
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {endpoint.name: Credential(password=secret(endpoint.name)) for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        for endpoint in service.endpoints[:1]:
            await execute(AS_HUB, (credentials[endpoint.name].password or "").encode())

    def copying(self, service: Service) -> Copying | None:
        return None   # its files are copied
