"""Redis and Valkey, in memory or persistent. No password, as on the hosted platforms: the network is the wall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import RedisConfiguration, Service
from deployd.services.family import (
    RUN_AND_TMP,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
    memory_folder,
)

PORT = 6379
DATA = "/data"


@dataclass(frozen=True, slots=True)
class Redis:
    """`redis` or `valkey`; `persistent` keeps an append-only file in a volume."""

    flavour: str
    persistent: bool = False

    @property
    def connection(self) -> Connection:
        return Connection(self.flavour, PORT)

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        limit_mb = max(16, memory_mb * 3 // 4)
        if self.persistent and service.disk_mb:
            limit_mb = max(16, min(limit_mb, service.disk_mb // 2))
        policy = service.configured(RedisConfiguration).maxmemory_policy
        return Parts(
            port=PORT,
            health=health(f'test "$({self.flavour}-cli ping)" = PONG'),
            command=(
                f"{self.flavour}-server", "--maxmemory", f"{limit_mb}mb", "--maxmemory-policy", policy,
                "--dir", DATA, "--save", "", "--appendonly", "yes" if self.persistent else "no",
            ),
            volume_path=DATA if self.persistent else None,
            tmpfs=RUN_AND_TMP if self.persistent else {**RUN_AND_TMP, DATA: memory_folder(16)},
            crash_safe=self.persistent,     # what it answers stands in its append-only file before the answer is sent
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {endpoint.name: Credential() for endpoint in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        """There is nothing to make."""

    def copying(self, service: Service) -> Copying | None:
        return None   # a dump cannot be read back by a running server
