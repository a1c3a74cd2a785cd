"""Gotenberg: pages, HTML and Markdown become PDF and pictures, by a form over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service
from deployd.services.family import OPEN_READY_MARK, Copying, Execute, Parts, Secret, health, memory_folder
from deployd.units import MEGABYTE

PORT = 3000
ANSWERS = f"curl --silent --fail --max-time 10 --output /dev/null http://127.0.0.1:{PORT}/health"


class Gotenberg:
    """`gotenberg`"""

    connection = Connection("http", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        return Parts(
            usual_seconds=5.0,
            port=PORT,
            health=health(ANSWERS, mark=OPEN_READY_MARK),
            # What is sent lies there until it is answered; all of it is memory of the container.
            tmpfs={"/run": memory_folder(16, "755"), "/tmp": memory_folder(max(64, memory_mb // 4))},
            shm_bytes=max(64, memory_mb // 4) * MEGABYTE,
            capabilities=(),
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {endpoint.name: Credential() for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        """There is nothing to make."""

    def copying(self, service: Service) -> Copying | None:
        return None   # nothing outlives its container
