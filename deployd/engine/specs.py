"""What an engine is to create and to run, as values. Pure: an engine turns them into calls."""

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
class NoNetwork:
    """Cut off from every network."""


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """All that the host has."""


@dataclass(frozen=True, slots=True)
class NetworkOf:
    """All that another container has, which has to run when this one is started."""

    container: str


@dataclass(frozen=True, slots=True)
class Network:
    """A network that was ensured before."""

    name: str
    address: str | None = None
    """IPv4 in it that the container has at every start; None: the engine gives it one, and another one next time."""
    aliases: tuple[str, ...] = ()
    """Names under which the other containers of the network find it."""
    links: Mapping[str, str] = field(default_factory=nothing)
    """Names under which it alone finds other containers of the network: {host name: container}. They may come later."""
    hosts: Mapping[str, str] = field(default_factory=nothing)
    """Further names for its hosts file: {name: address}."""


NetworkMode = NoNetwork | HostNetwork | NetworkOf | Network


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
    network: NetworkMode = NoNetwork()
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
class RunAs:
    """As whom, and with what around it, a command runs in a container; what is not said is as the container has it."""

    user: str | None = None
    """`uid:gid`"""
    environment: Mapping[str, str] = field(default_factory=nothing)
    """Beside the container's own."""
    working_folder: str | None = None


AS_ITSELF = RunAs()


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """Of a terminal, in characters."""

    columns: int = 80
    rows: int = 24


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A bridge network of one environment, with a subnet of its own."""

    name: str
    subnet: str
    """CIDR; empty: the engine takes one of its own."""
    labels: Mapping[str, str]
    internal: bool = False
    apart: bool = False
    """Its containers reach the Internet and not each other."""
    bridge: str = ""
    """Its interface on the host, by which the firewall knows it; empty: the engine names it."""
    given: str = ""
    """CIDR within the subnet, out of which containers that ask for none get their addresses; empty: all of it."""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    name: str
    labels: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=nothing)
    """Options of the local driver, e.g. {"type": "tmpfs", "device": "tmpfs", "o": "size=8m"}."""
