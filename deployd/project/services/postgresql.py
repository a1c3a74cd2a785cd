"""`configuration` of PostgreSQL (configuration format 5.4). Pure."""

from __future__ import annotations

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import PostgresqlConfiguration
from deployd.project.services.database_endpoints import read_endpoints, read_names
from deployd.project.services.kind import Found, Kind

BY_DEFAULT = PostgresqlConfiguration()
CONFIGURATION = Table(
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
        Key("default_ctype", "string", default=f"`{BY_DEFAULT.default_ctype}`"),
        Key("default_collation", "string", default=f"`{BY_DEFAULT.default_collation}`"),
        Key("default_charset", "string", default=f"`{BY_DEFAULT.default_charset}`"),
    ),
    noun="`configuration` of postgresql",
)
ENDPOINT = Table(
    "configuration.endpoints.<name> (postgresql)",
    (
        Key("default_database", "name of a database"),
        Key("privileges", "mapping of database to level", default="`{}`"),
    ),
    noun="an endpoint of postgresql",
)
LEVELS = ("ro", "rw", "admin")


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        return Found(BY_DEFAULT, ("main",), (Endpoint("postgresql", "main", {"main": "admin"}),))
    configuration = PostgresqlConfiguration(
        extensions=fields.texts("extensions"),
        default_ctype=fields.text("default_ctype") or BY_DEFAULT.default_ctype,
        default_collation=fields.text("default_collation") or BY_DEFAULT.default_collation,
        default_charset=fields.text("default_charset") or BY_DEFAULT.default_charset,
    )
    databases = read_names(fields.get("databases"), "database") if fields.get("databases") else ("main",)
    return Found(configuration, databases, _endpoints(fields, databases))


def _endpoints(fields: Fields, databases: tuple[str, ...]) -> tuple[Endpoint, ...]:
    if fields.get("endpoints") is not None:
        return read_endpoints(fields, ENDPOINT, "database", databases, LEVELS)
    name = "main" if fields.get("databases") is not None else "postgresql"
    return (Endpoint(name, databases[0] if databases else None, dict.fromkeys(databases, "admin")),)


KIND = Kind(read, CONFIGURATION, (ENDPOINT,))
