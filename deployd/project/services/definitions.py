"""The services file: one definition after the other, defaults of each type filled in (configuration format 5). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.container.firewall import FIREWALL_OF_SERVICES_KEY, read_firewall
from deployd.project.container.names import check_name
from deployd.project.container.resources import (
    ACCESS,
    ACCESS_HINT,
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
from deployd.project.fields.keys import Key, Table
from deployd.project.fields.types import read_type
from deployd.project.findings.spelling import shown
from deployd.project.model.container import Relationship
from deployd.project.model.service import Service
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.services.kinds import read_configuration
from deployd.project.yaml.nodes import Node

SERVICE = Table(
    "service",
    (
        Key("type", "`type:version`", "the image that runs it", "required"),
        Key("disk", "integer, MB", DISK, "required by types that keep data", "once", DISK_HINT),
        SIZE_KEY,
        Key("configuration", "mapping", "by type", "`{}`"),
        Key("relationships", "mapping to `application:endpoint`", "Varnish and its like: what stands behind", "`{}`"),
        Key("access", "mapping", ACCESS, treatment="warned", hint=ACCESS_HINT),
        FIREWALL_OF_SERVICES_KEY,
        RESOURCES_KEY,
        PROFILE_KEY,
    ),
    noun="a service",
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
MOST_SERVICES = 100
_VERSIONS = {name: known.versions for name, known in SERVICE_TYPES.items()}


def read_services(document: Node, field_of: Field, *, disk_needed: bool = True) -> Mapping[str, Service | None]:
    """{name: service}, in the file's order; None where the definition has an error.

    Args:
        disk_needed: What keeps data says how much.
    """
    if field_of.is_null():
        return {}
    found: dict[str, Service | None] = {}
    entries = field_of.entries()
    if len(entries) > MOST_SERVICES:
        field_of.wrong(
            "too-many-services",
            f"there are {len(entries):,} services, at most {MOST_SERVICES} are allowed",
            "use fewer",
        )
        return {}
    for name, field in entries:
        named = check_name(Field(field.name or document, field.key, field.findings), name)
        fields = field.fields(SERVICE)
        service = _read_service(name, fields, field, disk_needed) if fields is not None else None
        found[name] = service if named else None
    return found


def _read_service(name: str, fields: Fields, field: Field, disk_needed: bool) -> Service | None:
    type_field = fields.require("type", "say which service: `type: mariadb:11.8`")
    kind = read_type(type_field, _VERSIONS, "no-such-service-type", "type of service") if type_field else None
    fields.entries("access")
    size, profile = read_size(fields.get("size")), read_profile(fields.get("container_profile"))
    relationships = _relationships(fields.get("relationships"))
    _warn_of_relationships(fields.get("relationships"), kind)
    firewall, resources = read_firewall(fields.get("firewall")), read_resources(fields.get("resources"))
    if type_field is None or kind is None:
        return None
    written, version = kind
    known = SERVICE_TYPES[written]
    disk = _disk(fields, written, field, disk_needed)
    found = read_configuration(known.means or written, fields)
    if not known.has_container and not _LABEL.fullmatch(name):
        field.wrong_name(
            "bad-name",
            f"`{shown(name)}` cannot be the name of a network storage",
            "use lower-case letters, digits and `-`",
        )
    if known.asks_applications and not relationships:
        fields.require("relationships", 'say what stands behind it: `relationships: {application: "app:http"}`')
    return Service(
        name=name,
        kind=known.means or written,
        version=version,
        type=type_field.raw,
        disk_mb=disk,
        size=size,
        schemas=found.schemas,
        endpoints=found.endpoints or (),
        configuration=found.configuration,
        relationships=relationships,
        firewall=firewall,
        resources=resources,
        container_profile=profile,
        place=field.place,
        type_place=type_field.place,
    )


def _disk(fields: Fields, kind: str, field: Field, needed: bool) -> int | None:
    least = SERVICE_TYPES[kind].least_disk_mb
    disk = fields.get("disk")
    if least is None:
        if disk is not None and disk.integer(0, None, "MB") is not None:
            disk.warn_name(
                "disk-without-use",
                f"a service of type {kind} keeps nothing on disk, so `disk` has no effect",
                "remove it",
            )
        return None
    if disk is None:
        if not needed:
            return None
        field.findings.error(
            "missing-key",
            field.name or field.node,
            f"a service of type {kind} needs `disk`, how much it may store",
            f"add `disk: {max(least, 1024)}` (MB, at least {least})",
            key=f"{field.key}.disk",
        )
        return None
    return disk.integer(least, MOST_DISK_MB, "MB")


def _warn_of_relationships(field: Field | None, kind: tuple[str, str] | None) -> None:
    if field is not None and kind is not None and not SERVICE_TYPES[kind[0]].asks_applications:
        field.warn_name(
            "not-honoured",
            f"`relationships` has no effect here: a service of type {kind[0]} asks nobody",
            "remove it, or put it into the application that asks",
        )


def _relationships(field: Field | None) -> tuple[Relationship, ...]:
    """Text only; whether the application exists is known later."""
    found = []
    for name, entry in field.entries() if field else []:
        written = entry.text()
        target, colon, endpoint = (written or "").partition(":")
        if written is not None and not (colon and target and endpoint):
            entry.wrong(
                "endpoint-missing", f'"{shown(written)}" does not name an endpoint', f'write "{target or "app"}:http"'
            )
        elif written is not None:
            found.append(Relationship(name, target, endpoint, entry.place))
    return tuple(found)
