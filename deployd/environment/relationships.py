"""What an application finds of its relationships: objects in PLATFORM_RELATIONSHIPS, and variables of their own. Pure.

An object has all keys of the public example (configuration format 5.3).

Variables of their own are what Upsun has: `DATABASE_HOST`. The format is `<RELATIONSHIP>_<PROPERTY>`, what is no letter
or digit made `_` (Upsun's manual, "Service environment variables"). Its examples show `is_master` as Python prints it;
here what is no text is JSON, as everywhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

KEYS = (
    "username", "password", "scheme", "host", "port", "path", "query", "fragment", "ip", "hostname", "service", "rel",
    "type", "public", "host_mapped", "cluster",
)
KEYS_OF_APPLICATIONS = (
    "service", "host", "hostname", "ip", "rel", "scheme", "port", "path", "query", "fragment", "username", "password",
    "type", "public", "host_mapped", "cluster",
)
"""In this order, because with another one each container with such a relationship would be made anew."""
_NOT_OF_A_NAME = re.compile(r"[^0-9A-Z_]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Connection:
    """How programs connect to a kind of service, or to an application."""

    scheme: str
    port: int
    query: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credential:
    """What one endpoint is entered with."""

    username: str | None = None
    password: str | None = None
    path: str | None = None
    """Default schema, database or virtual host."""
    port: int | None = None
    """Of this endpoint alone."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What only this kind of service tells, beside the connection's own."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is found in the network of an environment."""

    hostname: str
    """Its container."""
    ip: str
    cluster: str
    """The environment, as the hosted platforms call a cluster."""


@dataclass(frozen=True, slots=True)
class Related:
    """One endpoint, as an application finds it by the name of a relationship."""

    relationship: str
    target: str
    """Name of the service or application."""
    endpoint: str
    type: str
    """Of the target, as written; empty when it is not there."""
    connection: Connection
    address: Address
    credential: Credential = Credential()
    to_application: bool = False

    @property
    def port(self) -> int:
        return self.credential.port or self.connection.port

    def as_json(self) -> dict[str, Any]:
        shown = {
            "username": self.credential.username, "password": self.credential.password, "path": self.credential.path,
            "scheme": self.connection.scheme, "port": self.port,
            "query": {**self.connection.query, **self.credential.query},
            "host": f"{self.relationship}.internal", "hostname": self.address.hostname, "ip": self.address.ip,
            "cluster": self.address.cluster, "service": self.target, "rel": self.endpoint, "type": self.type,
            "fragment": None, "public": False, "host_mapped": False,
        }
        return {key: shown[key] for key in (KEYS_OF_APPLICATIONS if self.to_application else KEYS)}


def endpoint_objects(relationships: tuple[Related, ...]) -> dict[str, list[dict[str, Any]]]:
    """Content of PLATFORM_RELATIONSHIPS: {relationship: [endpoint object]}."""
    return {item.relationship: [item.as_json()] for item in relationships}


def relationship_variables(relationships: tuple[Related, ...]) -> dict[str, str]:
    """Each relationship in variables of its own; one whose name begins with a digit cannot be in any."""
    found: dict[str, str] = {}
    for item in relationships:
        prefix = _NOT_OF_A_NAME.sub("_", item.relationship.upper())
        shown = {**item.as_json(), "url": _url(item), "instance_ips": [item.address.ip]}
        found |= {f"{prefix}_{key.upper()}": _text(value) for key, value in shown.items()}
    return {name: value for name, value in found.items() if not name[0].isdigit()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _url(item: Related) -> str:
    """`pgsql://main:main@database.internal:5432/main`"""
    user, password = (quote(text or "", safe="") for text in (item.credential.username, item.credential.password))
    login = f"{user}:{password}@" if user or password else ""
    host, path = f"{item.relationship}.internal", (item.credential.path or "").lstrip("/")
    return f"{item.connection.scheme}://{login}{host}:{item.port}/{path}".rstrip("/")
