"""What Docker says exists, as values: its JSON is read here and travels no further. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

Health = Literal["healthy", "unhealthy", "starting", "none"]
NEVER = "0001-01-01"
EXITED = re.compile(r"Exited \((\d+)\)")
HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
BRIDGE_OPTION = "com.docker.network.bridge.name"
ALIVE = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True, slots=True)
class EngineInfo:
    version: str
    api_version: str
    """The one that is spoken with it, not the newest it knows."""
    storage_driver: str
    cpus: int
    memory_bytes: int
    cgroups: str = "1"
    """Version of the control groups: `1` or `2`."""
    limits_memory: bool = True
    folder: str = "/var/lib/docker"
    """Where it keeps images and volumes."""


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
    """Of its first process, on the host. None: not running, or it comes from a list."""
    out_of_memory: bool = False
    """It ended, and before that something in it was killed for want of memory; False in a list."""
    has_ended: bool = False
    """At some time, whether it runs again or not; False in a list."""


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


@dataclass(frozen=True, slots=True)
class ImageSeen:
    id: str
    labels: Mapping[str, str]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class EventSeen:
    """Something that happened in Docker."""

    kind: str
    """`container`, `network`, `volume`, `image`, …"""
    action: str
    """`start`, `die`, `oom`, `health_status: unhealthy`, `destroy`, …"""
    name: str
    id: str
    labels: Mapping[str, str]
    """Labels of the container, and whatever else Docker tells (`exitCode`, `image`)."""


def read_container(data: Mapping[str, Any]) -> ContainerSeen:
    """From `GET /containers/{name}/json`."""
    state, config = data["State"], data["Config"]
    running = bool(state["Running"])
    started_at = read_time(state["StartedAt"])
    return ContainerSeen(
        name=data["Name"].removeprefix("/"),
        id=data["Id"],
        image=config["Image"],
        image_id=data["Image"],
        labels=config.get("Labels") or {},
        running=running,
        exit_status=None if running or started_at is None else int(state["ExitCode"]),
        health=cast(Health, (state.get("Health") or {}).get("Status") or "none"),
        addresses=_addresses(data),
        own_addresses=_own_addresses(data),
        started_at=started_at,
        restarts=int(data.get("RestartCount") or 0),
        pid=int(state["Pid"]) or None,
        out_of_memory=bool(state.get("OOMKilled")),
        has_ended=read_time(state.get("FinishedAt") or "") is not None,
    )


def read_listed_container(data: Mapping[str, Any]) -> ContainerSeen:
    """From `GET /containers/json`, which says how it ended and how it fares in a text for people only."""
    running = data["State"] in ALIVE
    ended, health = EXITED.search(data["Status"]), HEALTH.search(data["Status"])
    return ContainerSeen(
        name=next((name for name in data["Names"] if name.count("/") == 1), data["Id"]).removeprefix("/"),
        id=data["Id"],
        image=data["Image"],
        image_id=data["ImageID"],
        labels=data.get("Labels") or {},
        running=running,
        exit_status=int(ended[1]) if ended and not running else None,
        health=cast(Health, health[1] if health and running else "none"),
        addresses=_addresses(data),
        own_addresses=_own_addresses(data),
    )


def read_network(data: Mapping[str, Any]) -> NetworkSeen:
    configs = (data.get("IPAM") or {}).get("Config") or []
    return NetworkSeen(
        data["Name"], data["Id"], tuple(item["Subnet"] for item in configs if item.get("Subnet")),
        data.get("Labels") or {}, (data.get("Options") or {}).get(BRIDGE_OPTION) or f"br-{data['Id'][:12]}",
    )


def read_volume(data: Mapping[str, Any]) -> VolumeSeen:
    return VolumeSeen(data["Name"], data.get("Labels") or {})


def read_image(data: Mapping[str, Any]) -> ImageSeen:
    return ImageSeen(data["Id"], (data.get("Config") or {}).get("Labels") or {}, int(data["Size"]))


def read_event(data: Mapping[str, Any]) -> EventSeen:
    actor = data.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    return EventSeen(
        data.get("Type", ""), data.get("Action", ""), attributes.get("name", ""), actor.get("ID", ""), attributes,
    )


def read_time(text: str) -> datetime | None:
    """Docker's time, which has nanoseconds; None for its zero."""
    return None if not text or text.startswith(NEVER) else datetime.fromisoformat(text)


def _addresses(data: Mapping[str, Any]) -> dict[str, str]:
    return {name: network["IPAddress"] for name, network in _networks(data).items() if network.get("IPAddress")}


def _own_addresses(data: Mapping[str, Any]) -> dict[str, str]:
    asked = {name: (network.get("IPAMConfig") or {}).get("IPv4Address") for name, network in _networks(data).items()}
    return {name: address for name, address in asked.items() if address}


def _networks(data: Mapping[str, Any]) -> Mapping[str, Any]:
    networks: Mapping[str, Any] = (data.get("NetworkSettings") or {}).get("Networks") or {}
    return networks


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
