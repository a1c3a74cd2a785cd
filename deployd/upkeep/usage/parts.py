"""Whose figures these are: one part of an environment, whatever container it has at the moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from deployd.engine.names import ENVIRONMENT, PART, PROJECT, ROLE
from deployd.engine.observed import ContainerSeen

ROLES = frozenset({"app", "web", "worker", "service"})
MOST_PARTS = 50
"""Of one environment on `/metrics`, those that use most; the others are one together."""
OTHERS = "(others)"


@dataclass(frozen=True, slots=True, order=True)
class Part:
    project: str
    environment: str
    kind: str
    """`app`, `web` (the web server in front of it), `worker`, `service`; of what is on disk only also `shared`."""
    name: str
    """`shop`, `shop--mailer` for a worker."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a part uses now."""

    part: Part
    containers: int = 0
    """That run: none while it is away, two during a deployment."""
    cpu_seconds: float = 0.0
    """Since they were started."""
    memory_bytes: int = 0
    memory_limit_bytes: int | None = None
    restarts: int = 0
    """By Docker, because they ended."""
    kills: int = 0
    """Of processes, for want of memory, since the daemon was started or they were."""
    killed_at: datetime | None = None
    disk_bytes: int | None = None
    """Of mounts, or of a service's data; None: not counted yet."""


def part_of(container: ContainerSeen) -> Part | None:
    """None for containers of no environment, and those of builds."""
    labels = container.labels
    if labels.get(ROLE) not in ROLES or not labels.get(PROJECT):
        return None
    return Part(labels[PROJECT], labels.get(ENVIRONMENT, ""), labels[ROLE], labels.get(PART, ""))


def added(one: Use, other: Use) -> Use:
    """What two containers of one part, or two parts, use together."""
    limits = [use.memory_limit_bytes for use in (one, other) if use.memory_limit_bytes is not None]
    disks = [use.disk_bytes for use in (one, other) if use.disk_bytes is not None]
    return Use(
        one.part, one.containers + other.containers, one.cpu_seconds + other.cpu_seconds,
        one.memory_bytes + other.memory_bytes, sum(limits) if limits else None, one.restarts + other.restarts,
        one.kills + other.kills, max(filter(None, (one.killed_at, other.killed_at)), default=None),
        sum(disks) if disks else None,
    )


def bounded(uses: Iterable[Use], most: int = MOST_PARTS) -> list[Use]:
    """The same with no more than so many of each environment: a project can have workers by the hundred."""
    by_environment: dict[tuple[str, str], list[Use]] = {}
    for use in uses:
        by_environment.setdefault((use.part.project, use.part.environment), []).append(use)
    found = []
    for whose, of_one in sorted(by_environment.items()):
        of_one.sort(key=lambda use: (-use.memory_bytes, use.part))
        found += of_one[:most]
        if rest := of_one[most:]:
            others = Use(Part(*whose, "others", OTHERS))
            for use in rest:
                others = added(others, use)
            found.append(others)
    return found
