"""What is seen of containers, networks, volumes and images, and what happens to them, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

Health = Literal["healthy", "unhealthy", "starting", "none"]


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    name: str
    id: str
    image: str
    """As it was asked for: a name with a tag, or an id."""
    image_id: str
    labels: Mapping[str, str]
    running: bool
    exit_status: int | None
    """None while it runs and before it was started for the first time."""
    health: Health
    addresses: Mapping[str, str]
    """{network: IPv4 address}; only of running containers."""
    own_addresses: Mapping[str, str] = field(default_factory=dict)
    """{network: the IPv4 address that it was created with}; running or not."""
    started_at: datetime | None = None
    """None: never, or it comes from a list."""
    restarts: int = 0
    """By its restart policy; 0 in a list."""
    pid: int | None = None
    """Of its first process, on the host, for the engine's own probes. None: not running, just started anew, or it
    comes from a list."""
    out_of_memory: bool = False
    """It ended, and before that something in it was killed for want of memory; False in a list."""
    has_ended: bool = False
    """At some time, whether it runs again or not; False in a list."""

    @property
    def has_process(self) -> bool:
        """Whether probes can be asked of it: it was looked at by its name, and something ran in it then."""
        return self.pid is not None


@dataclass(frozen=True, slots=True)
class NetworkSeen:
    name: str
    id: str
    subnets: tuple[str, ...]
    labels: Mapping[str, str]
    bridge: str = ""
    """Its interface on the host."""

    @property
    def subnet(self) -> str | None:
        return self.subnets[0] if self.subnets else None


@dataclass(frozen=True, slots=True)
class VolumeSeen:
    name: str
    labels: Mapping[str, str]
    folder: Path
    """Where its data is on the host."""


@dataclass(frozen=True, slots=True)
class ImageSeen:
    id: str
    labels: Mapping[str, str]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class EventSeen:
    """Something that happened to what an engine has."""

    kind: str
    """`container`, `network`, `volume`, `image`, …"""
    action: str
    """`start`, `die`, `oom`, `health_status: unhealthy`, `destroy`, …"""
    name: str
    id: str
    labels: Mapping[str, str]
    """Labels of the container, and whatever else the engine tells."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    cpu_seconds: float
    """Since the container was started."""
    memory_bytes: int
    """Without what the kernel would give away before anything is killed: files that were read and are not in use."""
    memory_limit_bytes: int | None
    kills: int
    """Processes that were killed for want of memory since the container was started, its children's too."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command in a container ended, and the end of what it wrote, 16 MB of each stream."""

    status: int
    stdout: bytes
    stderr: bytes
