"""`configuration` of MySQL and MariaDB (configuration format 5.4). Pure.

Surprise: the first word about schemas or endpoints ends all defaults; with PostgreSQL each half has its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import MysqlConfiguration, MysqlProperties
from deployd.project.services.database_endpoints import read_endpoints, read_names
from deployd.project.services.kind import Found, Kind

BY_DEFAULT = MysqlProperties()
CONFIGURATION = Table(
    "configuration (mysql, mariadb, oracle-mysql)",
    (
        Key("schemas", "list of names", "databases that exist; one that is taken out is dropped", "`[main]`"),
        Key("endpoints", "mapping to `{default_schema, privileges}`", "one user for each", "`mysql`, admin of `main`"),
        Key("properties", "mapping", "settings of the server", "`{}`"),
        Key(
            "rotate_passwords",
            "boolean",
            "passwords stay as they were made",
            treatment="warned",
            hint="remove it",
        ),
    ),
    noun="`configuration` of mysql",
)
ENDPOINT = Table(
    "configuration.endpoints.<name> (mysql)",
    (
        Key("default_schema", "name of a schema"),
        Key("privileges", "mapping of schema to level", default="`{}`"),
    ),
    noun="an endpoint of mysql",
)
PROPERTIES = Table(
    "configuration.properties (mysql)",
    (
        Key("max_allowed_packet", "integer, MB", "1 to 100", f"{BY_DEFAULT.max_allowed_packet_mb}"),
        Key("default_charset", "string", default=f"`{BY_DEFAULT.default_charset}`"),
        Key("default_collation", "string", default=f"`{BY_DEFAULT.default_collation}`"),
        Key("optimizer_switch", "string"),
        Key("optimizer_use_condition_selectivity", "integer", "1 to 5", "4"),
        Key("innodb_adaptive_hash_index", "0 or 1", default="0"),
        Key("max_heap_table_size", "integer, MB", "1 to 4096", f"{BY_DEFAULT.max_heap_table_size_mb}"),
        Key("table_definition_cache", "integer", default=f"{BY_DEFAULT.table_definition_cache}"),
        Key("table_open_cache", "integer", default=f"{BY_DEFAULT.table_open_cache}"),
        Key("wsrep_sync_wait", "integer", default="0"),
    ),
    noun="`properties` of mysql",
)
OF_MARIADB = ("optimizer_use_condition_selectivity", "wsrep_sync_wait")
LEVELS = ("ro", "rw", "admin", "replication", "replication-admin")
_LIMITS = {
    "max_allowed_packet": (1, 100),
    "optimizer_use_condition_selectivity": (1, 5),
    "innodb_adaptive_hash_index": (0, 1),
    "max_heap_table_size": (1, 4096),
    "table_definition_cache": (1, 2_000_000),
    "table_open_cache": (1, 1_000_000),
    "wsrep_sync_wait": (0, 15),
}
_IN_MEGABYTES = ("max_allowed_packet", "max_heap_table_size")


def read(fields: Fields | None, service: Fields) -> Found:
    main = (Endpoint("mysql", "main", {"main": "admin"}),)
    if fields is None:
        return Found(MysqlConfiguration(), ("main",), main)
    fields.maybe_boolean("rotate_passwords")
    configuration = MysqlConfiguration(_properties(fields.fields("properties", PROPERTIES)))
    if fields.get("schemas") is None and fields.get("endpoints") is None:
        return Found(configuration, ("main",), main)
    schemas = read_names(fields.get("schemas"), "schema")
    return Found(configuration, schemas, read_endpoints(fields, ENDPOINT, "schema", schemas, LEVELS))


def _properties(fields: Fields | None) -> MysqlProperties:
    given: dict[str, Any] = {}
    for key in PROPERTIES.keys:
        field = fields.get(key.name) if fields else None
        limits = _LIMITS.get(key.name)
        value = field and (field.integer(*limits) if limits else field.text())
        if value is not None:
            given[f"{key.name}_mb" if key.name in _IN_MEGABYTES else key.name] = value
    if "default_charset" in given:
        given.setdefault("default_collation", None)
    return replace(BY_DEFAULT, **given)


def read_oracle(fields: Fields | None, service: Fields) -> Found:
    """Of MySQL as Oracle releases it, which lacks some settings of MariaDB."""
    properties = fields.fields("properties", PROPERTIES) if fields and fields.get("properties") else None
    for name in OF_MARIADB:
        field = properties.get(name) if properties else None
        if field is not None:
            field.warn_name("not-honoured", f"`{name}` has no effect: it is a setting of MariaDB", "remove it")
    return read(fields, service)


KIND = Kind(read, CONFIGURATION, (ENDPOINT, PROPERTIES))
ORACLE = Kind(read_oracle, CONFIGURATION, (ENDPOINT, PROPERTIES))
