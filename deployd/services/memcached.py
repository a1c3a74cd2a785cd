"""Memcached: in memory alone, and without a password, as on the hosted platforms: the network is the wall."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service
from deployd.services.family import (
    OPEN_READY_MARK,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
    memory_folder,
)

PORT = 11211
# bash, as no client is in the image. It answers while it evicts, too; one that has no connection left does not.
ANSWERS = (
    f'exec 3<>/dev/tcp/127.0.0.1/{PORT} && printf "version\\r\\n" >&3 && read -t 3 -r words <&3'
    ' && test "${words%% *}" = VERSION'
)


class Memcached:
    """`memcached`"""

    connection = Connection("memcached", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        # Beside what it stores are its hash table and a buffer for each connection.
        stored_mb = max(16, memory_mb * 3 // 4)
        return Parts(
            usual_seconds=1.0,
            port=PORT,
            health=health(f"({ANSWERS})", "bash", OPEN_READY_MARK),
            # UDP is what attackers reflect off; by TCP it takes whom the environment's network lets in.
            command=("memcached", f"--memory-limit={stored_mb}", "--conn-limit=1024", "--udp-port=0", f"--port={PORT}"),
            tmpfs={"/run": memory_folder(16, "755"), "/tmp": memory_folder(16)},
            capabilities=(),
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {endpoint.name: Credential() for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        """There is nothing to make."""

    def copying(self, service: Service) -> Copying | None:
        return None   # nothing outlives its container
