"""What to create in Docker, as values. The Engine turns them into calls; nothing here touches anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NONE: Mapping[str, str] = MappingProxyType({})


def nothing() -> Mapping[str, str]:
    """The empty mapping, as a default factory: dataclasses refuse a mapping as a plain default before Python 3.12."""
    return NONE


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder or file of the host, or a named volume, seen in the container."""

    source: str
    """Absolute path on the host, or the name of a volume."""
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """A command that tells whether the container is ready: exit status 0."""

    command: tuple[str, ...]
    interval_seconds: float = 1.0
    timeout_seconds: float = 5.0
    retries: int = 60
    start_period_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container: root file system read-only, every capability dropped, unless the spec says otherwise."""

    name: str
    image: str
    labels: Mapping[str, str]
    command: tuple[str, ...] | None = None
    """None: the image's own."""
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=nothing)
    user: str | None = None
    working_folder: str | None = None
    network: str | None = None
    """Name of a network; "host"; "container:<name>" shares all of another's; None cuts it off from every network."""
    address: str | None = None
    """IPv4 in its network that it has at every start; None: Docker gives it one, and another one next time."""
    aliases: tuple[str, ...] = ()
    """Names under which the other containers of the network find it."""
    links: Mapping[str, str] = field(default_factory=nothing)
    """Names under which it alone finds other containers of the network: {host name: container}."""
    hosts: Mapping[str, str] = field(default_factory=nothing)
    """Further names for its hosts file: {name: address}."""
    binds: tuple[Bind, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=nothing)
    """{path: mount options}, e.g. {"/tmp": "rw,exec,nosuid,size=512m,mode=1777"}."""
    capabilities: tuple[str, ...] = ()
    read_only_root: bool = True
    memory_bytes: int | None = None
    cpus: float | None = None
    pids: int | None = 1024
    open_files: int | None = None
    shm_bytes: int | None = None
    health: Health | None = None
    restart: str = "no"
    """`no`, `on-failure`, `always` or `unless-stopped`."""
    stop_seconds: int = 10
    stop_signal: str | None = None
    log_max_bytes: int = 10_000_000
    log_files: int = 3


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A bridge network of one environment, with a subnet of its own."""

    name: str
    subnet: str
    """CIDR; empty: Docker takes one of its own."""
    labels: Mapping[str, str]
    internal: bool = False
    apart: bool = False
    """Its containers reach the Internet and not each other."""
    bridge: str = ""
    """Its interface on the host, by which the firewall knows it; empty: Docker names it."""
    given: str = ""
    """CIDR within the subnet, out of which Docker gives addresses to containers that ask for none; empty: all of it."""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    name: str
    labels: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=nothing)
    """Options of the local driver, e.g. {"type": "tmpfs", "device": "tmpfs", "o": "size=8m"}."""
