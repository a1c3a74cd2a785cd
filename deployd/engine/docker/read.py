"""What Docker says exists, as values of the engine: its JSON is read here and travels no further. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from deployd.engine.observed import ContainerSeen, EventSeen, Health, ImageSeen, NetworkSeen, VolumeSeen

NEVER = "0001-01-01"
EXITED = re.compile(r"Exited \((\d+)\)")
HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
BRIDGE_OPTION = "com.docker.network.bridge.name"
ALIVE = frozenset({"running", "paused", "restarting"})


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
    return VolumeSeen(data["Name"], data.get("Labels") or {}, Path(data["Mountpoint"]))


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
