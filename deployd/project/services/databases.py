"""`configuration` of MySQL and PostgreSQL: databases, endpoints, privileges (configuration format 5.4). Pure.

Surprise: with MySQL the first word about schemas or endpoints ends all defaults; with PostgreSQL each half has its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.fields.keys import Key, Table
from deployd.project.fields.shape import Field, Fields
from deployd.project.findings.spelling import guess, listed, nearest, shown
from deployd.project.model import Endpoint, Json

MYSQL = Table(
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
            mend="remove it",
        ),
    ),
    noun="`configuration` of mysql",
)
MYSQL_ENDPOINT = Table(
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
        Key("max_allowed_packet", "integer, MB", "1 to 100", "16"),
        Key("default_charset", "string", default="`utf8mb4`"),
        Key("default_collation", "string", default="`utf8mb4_unicode_ci`"),
        Key("optimizer_switch", "string"),
        Key("optimizer_use_condition_selectivity", "integer", "1 to 5", "4"),
        Key("innodb_adaptive_hash_index", "0 or 1", default="0"),
        Key("max_heap_table_size", "integer, MB", "1 to 4096", "32"),
        Key("table_definition_cache", "integer", default="400"),
        Key("table_open_cache", "integer", default="400"),
        Key("wsrep_sync_wait", "integer", default="0"),
    ),
    noun="`properties` of mysql",
)
POSTGRESQL = Table(
    "configuration (postgresql)",
    (
        Key("databases", "list of names", "databases that exist", "`[main]`"),
        Key(
            "endpoints",
            "mapping to `{default_database, privileges}`",
            "one user for each",
            "`postgresql`, admin of `main`",
        ),
        Key("extensions", "list of names", "created in each database", "`[]`"),
        Key("default_ctype", "string", default="`C.UTF-8`"),
        Key("default_collation", "string", default="`C.UTF-8`"),
        Key("default_charset", "string", default="`UTF8`"),
    ),
    noun="`configuration` of postgresql",
)
POSTGRESQL_ENDPOINT = Table(
    "configuration.endpoints.<name> (postgresql)",
    (
        Key("default_database", "name of a database"),
        Key("privileges", "mapping of database to level", default="`{}`"),
    ),
    noun="an endpoint of postgresql",
)
LEVELS = ("ro", "rw", "admin", "replication", "replication-admin")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_$-]{0,62}", re.ASCII)
_LIMITS = {
    "max_allowed_packet": (1, 100),
    "optimizer_use_condition_selectivity": (1, 5),
    "innodb_adaptive_hash_index": (0, 1),
    "max_heap_table_size": (1, 4096),
    "table_definition_cache": (1, 2_000_000),
    "table_open_cache": (1, 1_000_000),
    "wsrep_sync_wait": (0, 15),
}
Read = tuple[tuple[str, ...], tuple[Endpoint, ...], Mapping[str, Json]]


def read_mysql(fields: Fields | None) -> Read:
    """Schemas, endpoints, and the rest."""
    main = (Endpoint("mysql", "main", {"main": "admin"}),)
    if fields is None:
        return ("main",), main, {}
    rest: dict[str, Json] = {}
    fields.maybe_boolean("rotate_passwords")
    properties = _properties(fields.fields("properties", PROPERTIES))
    if properties:
        rest["properties"] = properties
    if fields.get("schemas") is None and fields.get("endpoints") is None:
        return ("main",), main, rest
    schemas = _names(fields.get("schemas"), "schema")
    return schemas, _endpoints(fields, MYSQL_ENDPOINT, "schema", schemas, LEVELS), rest


def read_postgresql(fields: Fields | None) -> Read:
    """Databases, endpoints, and the rest."""
    if fields is None:
        return ("main",), (Endpoint("postgresql", "main", {"main": "admin"}),), {}
    rest: dict[str, Json] = {}
    if fields.get("extensions") is not None:
        rest["extensions"] = list(fields.texts("extensions"))
    for name in ("default_ctype", "default_collation", "default_charset"):
        if fields.get(name) is not None:
            rest[name] = fields.text(name)
    databases = _names(fields.get("databases"), "database") if fields.get("databases") else ("main",)
    if fields.get("endpoints") is not None:
        return databases, _endpoints(fields, POSTGRESQL_ENDPOINT, "database", databases, ("ro", "rw", "admin")), rest
    all_of_them = dict.fromkeys(databases, "admin")
    name = "main" if fields.get("databases") is not None else "postgresql"
    return databases, (Endpoint(name, databases[0] if databases else None, all_of_them),), rest


def _names(field: Field | None, noun: str) -> tuple[str, ...]:
    found: list[str] = []
    for item in field.items() if field else []:
        name = item.text()
        if name is None:
            continue
        if not _NAME.fullmatch(name):
            item.wrong(
                "bad-name",
                f"`{shown(name)}` cannot be the name of a {noun}",
                "use letters, digits, `_` and `-`, at most 63",
            )
        elif name in found:
            item.wrong("same-name", f"the {noun} `{name}` is listed twice", "remove one of the two")
        else:
            found.append(name)
    return tuple(found)


def _endpoints(
    fields: Fields, table: Table, noun: str, known: tuple[str, ...], levels: tuple[str, ...]
) -> tuple[Endpoint, ...]:
    found = []
    for name, field in fields.entries("endpoints"):
        if not _NAME.fullmatch(name):
            field.wrong_name(
                "bad-name",
                f"`{shown(name)}` cannot be the name of an endpoint, which becomes a user",
                "use letters, digits, `_` and `-`",
            )
            continue
        endpoint = field.fields(table) if not field.is_null() else None
        if endpoint is None:
            found.append(Endpoint(name))
            continue
        default_field = endpoint.get(f"default_{noun}")
        default = default_field.text() if default_field else None
        if default_field is not None and default is not None:
            _check_known(default_field, default, noun, known)
        found.append(Endpoint(name, default, _privileges(endpoint, noun, known, levels)))
    return tuple(found)


def _privileges(endpoint: Fields, noun: str, known: tuple[str, ...], levels: tuple[str, ...]) -> Mapping[str, str]:
    found = {}
    for name, field in endpoint.entries("privileges"):
        _check_known(Field(field.name or field.node, field.key, field.findings), name, noun, known)
        level = field.text()
        if level is not None and level not in levels:
            field.wrong("not-allowed", f"`{shown(level)}` is not a level of privileges", guess(level, levels))
        elif level is not None:
            found[name] = level
    return found


def _check_known(field: Field, name: str, noun: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = nearest(name, known)
        listing = f"the {noun}s are {listed(known, 'and')}" if known else f"list it under `{noun}s`"
        field.wrong(
            f"no-such-{noun}", f"there is no {noun} `{shown(name)}`", f"did you mean `{near}`?" if near else listing
        )


def _properties(fields: Fields | None) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key in PROPERTIES.keys if fields is not None else ():
        assert fields is not None
        field = fields.get(key.name)
        if field is None:
            continue
        limits = _LIMITS.get(key.name)
        value: Json = field.integer(*limits) if limits else field.text()
        if value is not None:
            found[key.name] = value
    return found
