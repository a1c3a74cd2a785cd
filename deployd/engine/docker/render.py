"""A `ContainerSpec` as Docker wants it, and the same for networks and volumes. Pure.

Everything is locked unless the spec opens it: no capabilities, no new privileges, read-only root, bounded logs.
Surprise: folders of the host are given as mounts and not as binds: Docker makes what a bind lacks, an empty folder of
root, and then a container starts without its code instead of not at all.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Any

from deployd.engine.docker.read import BRIDGE_OPTION
from deployd.engine.specs import (
    Bind,
    ContainerSpec,
    Health,
    HostNetwork,
    Network,
    NetworkMode,
    NetworkOf,
    NetworkSpec,
    NoNetwork,
    VolumeSpec,
)

NANOSECONDS = 1_000_000_000
UNLIMITED = 1_000_000_000
_OWN = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MOST_OPEN_FILES = UNLIMITED if _OWN == resource.RLIM_INFINITY else _OWN
"""Where root may not raise limits (CAP_SYS_RESOURCE), a container that is to have more than the host does not start."""


def render_container(spec: ContainerSpec) -> dict[str, Any]:
    """Body of `POST /containers/create`."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "Env": render_environment(spec.environment),
        "StopTimeout": spec.stop_seconds,
        "HostConfig": _host_config(spec),
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint) or [""]   # [""] takes the image's own away: API reference
    if spec.user is not None:
        body["User"] = spec.user
    if spec.working_folder is not None:
        body["WorkingDir"] = spec.working_folder
    if spec.stop_signal is not None:
        body["StopSignal"] = spec.stop_signal
    if spec.health is not None:
        body["Healthcheck"] = _health(spec.health)
    if isinstance(spec.network, Network):
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network.name: _endpoint(spec.network)}}
    return body


def _endpoint(network: Network) -> dict[str, Any]:
    """How a container is on its network. Names of `links` are looked up when they are asked for."""
    fixed = {"IPAMConfig": {"IPv4Address": network.address}} if network.address else {}
    return {
        "Aliases": list(network.aliases),
        "Links": [f"{container}:{name}" for name, container in network.links.items()],
        **fixed,
    }


def network_mode(network: NetworkMode) -> str:
    match network:
        case NoNetwork():
            return "none"
        case HostNetwork():
            return "host"
        case NetworkOf(container):
            return f"container:{container}"
        case Network(name):
            return name


def _hosts(network: NetworkMode) -> list[str]:
    hosts = network.hosts if isinstance(network, Network) else {}
    return [f"{name}:{address}" for name, address in hosts.items()]


def render_environment(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def render_network(spec: NetworkSpec) -> dict[str, Any]:
    """Body of `POST /networks/create`."""
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": spec.internal,
        "IPAM": {"Driver": "default", "Config": _addresses(spec)},
        "Options": {
            **({"com.docker.network.bridge.enable_icc": "false"} if spec.apart else {}),
            **({BRIDGE_OPTION: spec.bridge} if spec.bridge else {}),
        },
        "Labels": dict(spec.labels),
    }


def _addresses(spec: NetworkSpec) -> list[dict[str, str]]:
    if not spec.subnet:
        return []
    return [{"Subnet": spec.subnet, **({"IPRange": spec.given} if spec.given else {})}]


def render_volume(spec: VolumeSpec) -> dict[str, Any]:
    """Body of `POST /volumes/create`."""
    return {"Name": spec.name, "Driver": "local", "DriverOpts": dict(spec.options), "Labels": dict(spec.labels)}


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Init": True,                                        # reaps what hooks and builds leave behind
        "ReadonlyRootfs": spec.read_only_root,
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "NetworkMode": network_mode(spec.network),
        "ExtraHosts": _hosts(spec.network),
        "Mounts": [_mount(bind) for bind in spec.binds],
        "Tmpfs": dict(spec.tmpfs),
        "RestartPolicy": {"Name": spec.restart},
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(spec.log_max_bytes), "max-file": str(spec.log_files)},
        },
    }
    if spec.memory_bytes is not None:
        config["Memory"] = config["MemorySwap"] = spec.memory_bytes   # equal: no swap
    if spec.cpus is not None:
        config["NanoCpus"] = round(spec.cpus * NANOSECONDS)
    if spec.pids is not None:
        config["PidsLimit"] = spec.pids
    if spec.open_files is not None:
        files = min(spec.open_files, MOST_OPEN_FILES)
        config["Ulimits"] = [{"Name": "nofile", "Soft": files, "Hard": files}]
    if spec.shm_bytes is not None:
        config["ShmSize"] = spec.shm_bytes
    return config


def _mount(bind: Bind) -> dict[str, Any]:
    kind = "bind" if bind.source.startswith("/") else "volume"
    return {"Type": kind, "Source": bind.source, "Target": bind.target, "ReadOnly": bind.read_only}


def _health(health: Health) -> dict[str, Any]:
    return {
        "Test": ["CMD", *health.command],
        "Interval": round(health.interval_seconds * NANOSECONDS),
        "Timeout": round(health.timeout_seconds * NANOSECONDS),
        "StartPeriod": round(health.start_period_seconds * NANOSECONDS),
        "Retries": health.retries,
    }
