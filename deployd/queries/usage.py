"""Usage: what applications, workers and services use now."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.clock import Clock
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.times import iso
from deployd.upkeep.usage.parts import Use
from deployd.upkeep.usage.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class UseShape:
    """What an application, worker or service uses now."""

    at: str
    """When it was read: ISO 8601, UTC. `cpu_seconds` of two answers say how much of a processor it uses."""
    project: str
    environment: str
    kind: str
    """`app`, `web`, `worker`, `service`; `shared` is on disk only."""
    name: str
    """A worker's is `app--worker`."""
    containers: int
    """That run: none while it is away, two during a deployment."""
    cpu_seconds: float
    """Of processors, since its containers were started."""
    memory_bytes: int
    """That the kernel cannot give away."""
    memory_limit_bytes: int | None
    restarts: int
    """By Docker, because a container ended."""
    kills: int
    """Processes that the kernel killed for want of memory."""
    killed_at: str
    """When the last one was: ISO 8601, UTC; empty when none was since the daemon began."""
    disk_bytes: int | None
    """Mounts, or a service's data, as counted within the last minutes; null: not counted yet."""


class UsageQueries:
    def __init__(self, usage: Usage, environments: EnvironmentQueries, clock: Clock) -> None:
        self._usage = usage
        self._environments = environments
        self._clock = clock

    async def now(self, project: str | None, environment: str | None) -> list[UseShape]:
        """Of all parts of all environments, of a project's, or of those of one environment (machine name or branch).

        Raises:
            NotFound: There is no such environment.
        """
        if project is not None and environment is not None:
            environment = (await self._environments.find(project, environment)).name
        found = await self._usage.uses(project, environment)
        at = self._clock.now().isoformat()
        return [use_shape(item, at) for item in found]


def use_shape(use: Use, at: str) -> UseShape:
    part = use.part
    return UseShape(
        at=at, project=part.project, environment=part.environment, kind=part.kind, name=part.name,
        containers=use.containers, cpu_seconds=round(use.cpu_seconds, 6), memory_bytes=use.memory_bytes,
        memory_limit_bytes=use.memory_limit_bytes, restarts=use.restarts, kills=use.kills,
        killed_at=iso(use.killed_at), disk_bytes=use.disk_bytes,
    )
