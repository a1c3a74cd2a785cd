"""`configuration` of ClickHouse: databases, and endpoints with a port each (Upsun's manual). Pure.

A user has one level there, so all privileges of an endpoint are the same.
"""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import ClickhouseConfiguration
from deployd.project.services.database_endpoints import read_endpoints, read_names
from deployd.project.services.kind import Found, Kind

CONFIGURATION = Table(
    "configuration (clickhouse)",
    (
        Key("databases", "list of names", "databases that exist", "`[main]`"),
        Key(
            "endpoints",
            "mapping to `{default_database, port, privileges}`",
            "one user for each",
            "`clickhouse` and `clickhouse-http`, admin of every database",
        ),
    ),
    noun="`configuration` of clickhouse",
)
ENDPOINT = Table(
    "configuration.endpoints.<name> (clickhouse)",
    (
        Key("default_database", "name of a database"),
        Key("port", "`9000` (its own protocol) or `8123` (HTTP)", default="`9000`"),
        Key("privileges", "mapping of database to level, one level for all", default="`{}`"),
    ),
    noun="an endpoint of clickhouse",
)
LEVELS = ("ro", "rw", "admin")
PORTS = (9000, 8123)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", re.ASCII)


def read(fields: Fields | None, service: Fields) -> Found:
    databases = read_names(fields.get("databases"), "database") if fields and fields.get("databases") else ("main",)
    if fields is None or fields.get("endpoints") is None:
        admin = dict.fromkeys(databases, "admin")
        first = databases[0] if databases else None
        names = ("clickhouse", "clickhouse-http")
        return Found(ClickhouseConfiguration(), databases, tuple(Endpoint(name, first, admin) for name in names))
    ports = {name: port for name, entry in fields.entries("endpoints") if (port := _port(name, entry)) is not None}
    endpoints = read_endpoints(fields, ENDPOINT, "database", databases, LEVELS)
    for name, entry in fields.entries("endpoints"):
        known = next((item for item in endpoints if item.name == name), None)
        if known is not None and len({*known.privileges.values()}) > 1:
            entry.wrong("not-allowed", f"the privileges of `{shown(name)}` differ: a user of ClickHouse has one level",
                        "give each level an endpoint of its own")
    return Found(ClickhouseConfiguration(ports), databases, endpoints)


def _port(name: str, entry: Field) -> int | None:
    if not _NAME.fullmatch(name):
        entry.wrong_name("bad-name", f"`{shown(name)}` cannot be the name of a user of ClickHouse",
                         "begin with a letter, and use letters, digits, `_` and `-`")
    fields = entry.fields(ENDPOINT) if not entry.is_null() else None
    field = fields.get("port") if fields else None
    port = field.integer(1, 65535) if field else None
    if field is not None and port is not None and port not in PORTS:
        field.wrong("not-allowed", f"ClickHouse does not listen on port {port}", "write 9000 or 8123")
    return port


KIND = Kind(read, CONFIGURATION, (ENDPOINT,))
