"""Chromium without a screen, which programs drive over its protocol for developers (Puppeteer, Playwright)."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service
from deployd.services.family import OPEN_READY_MARK, Copying, Execute, Parts, Secret, health, memory_folder
from deployd.units import MEGABYTE

PORT = 9222
ANSWERS = f"curl --silent --fail --max-time 10 --output /dev/null http://127.0.0.1:{PORT}/json/version"


class ChromeHeadless:
    """`chrome-headless`"""

    connection = Connection("http", PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        return Parts(
            usual_seconds=4.0,
            port=PORT,
            health=health(ANSWERS, mark=OPEN_READY_MARK),
            # Profiles and caches are memory of the container, as is what its processes share.
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
