"""What `web` and every worker have in common: size, disk, mounts, relationships … (configuration format 4.1). Pure.

A value under `web` or a worker replaces the application's whole value; nothing is merged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from deployd.project.application.mounts import read_mounts
from deployd.project.application.relationships import read_relationships
from deployd.project.application.variables import read_variables
from deployd.project.container.firewall import FIREWALL_KEY, read_firewall
from deployd.project.container.resources import (
    DISK,
    DISK_HINT,
    MOST_DISK_MB,
    PROFILE_KEY,
    RESOURCES_KEY,
    SIZE_KEY,
    read_profile,
    read_resources,
    read_size,
)
from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key
from deployd.project.findings.spelling import guess, nearest, shown
from deployd.project.model.application import Commands, Instance
from deployd.project.relationship_targets import Targets

ROLES = ("viewer", "contributor", "admin")
LEAST_DISK_MB = 128
SIZED = ("local", "storage")
"""Sources of mounts that an instance's `disk` is for."""
INSTANCE_KEYS = (
    SIZE_KEY,
    Key("disk", f"integer, MB, at least {LEAST_DISK_MB}", DISK, "none", "once", DISK_HINT),
    RESOURCES_KEY,
    PROFILE_KEY,
    Key("access", "mapping: `ssh`", "the least role that comes in over SSH; never less than the operator asks for",
        "`{ssh: contributor}`"),
    Key("relationships", "mapping", "ways to services and other applications", "`{}`"),
    Key("mounts", "mapping", "folders that stay writable", "`{}`"),
    Key("timezone", "name of the TZ database", "the time by which crons are scheduled", "`UTC`"),
    Key("variables", "mapping of mappings", "by prefix: `env`, `php` and others", "`{}`"),
    FIREWALL_KEY,
    Key("additional_hosts", "mapping of host name to IP address", "lines of the container's hosts file", "`{}`"),
)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """Keys of an instance, looked up where they count: in the instance itself, else in the application."""

    own: Fields | None
    application: Fields

    def get(self, name: str) -> Field | None:
        own = self.own.get(name) if self.own is not None and self.own.table.key(name) else None
        return own if own is not None else self.application.get(name)


def read_instance(scope: Scope, commands: Commands, targets: Targets) -> Instance:
    """An instance with the application's values filled in."""
    disk = scope.get("disk")
    mounts = read_mounts(scope.get("mounts"), targets)
    disk_mb = disk.integer(LEAST_DISK_MB, MOST_DISK_MB, "MB") if disk else None
    mounts_field = scope.get("mounts")
    sized = targets.dialect.sizes_disks
    if sized and disk is None and mounts_field is not None and any(mount.source in SIZED for mount in mounts):
        mounts_field.warn_name(
            "disk-missing",
            "there are local mounts, but `disk` does not say how large they may grow",
            "add `disk: 2048` (MB)",
        )
    return Instance(
        commands=commands,
        size=read_size(scope.get("size")),
        disk_mb=disk_mb,
        mounts=mounts,
        relationships=read_relationships(scope.get("relationships"), targets),
        variables=read_variables(scope.get("variables"), scope.application.node),
        access=_access(scope.get("access")),
        firewall=read_firewall(scope.get("firewall")),
        resources=read_resources(scope.get("resources")),
        container_profile=read_profile(scope.get("container_profile")),
        additional_hosts=_hosts(scope.get("additional_hosts")),
        timezone=read_timezone(scope.get("timezone")),
    )


def read_timezone(field: Field | None) -> str | None:
    from deployd.project.offered.timezones import TIMEZONES

    name = field.text() if field else None
    if field is None or name is None or name in TIMEZONES:
        return name
    near = nearest(name, TIMEZONES) if len(name) > 4 else None  # `CEST` is no typing error of `EST`
    field.wrong(
        "no-such-timezone",
        f"`{shown(name)}` is not a time zone",
        f"did you mean `{near}`?" if near else "write a name of the TZ database, such as `Europe/Paris` or `UTC`",
    )
    return None


def _access(field: Field | None) -> Mapping[str, str]:
    if field is None:
        return {"ssh": "contributor"}
    found: dict[str, str] = {}
    for name, value in field.entries():
        role = value.text()
        if name == "ssh" and role is not None and role not in ROLES:
            value.wrong("not-allowed", f"`{shown(role)}` is not a role", guess(role, ROLES))
        elif role is not None:
            found[name] = role
    return found


def _hosts(field: Field | None) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in field.entries(dots="write the host without the dot") if field else []:
        address = value.text()
        if not _HOST.fullmatch(name):
            value.wrong_name("bad-name", f"`{shown(name)}` is not a host name", "write a name like `api.example.com`")
        elif address is not None and not _is_address(address):
            value.wrong("not-an-address", f"`{shown(address)}` is not an IP address", "write one like `192.0.2.10`")
        elif address is not None:
            found[name] = address
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
