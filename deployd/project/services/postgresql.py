"""`configuration` of PostgreSQL (configuration format 5.4). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import nearest, shown
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
EXTENSIONS = (
    "address_standardizer", "address_standardizer_data_us", "adminpack", "autoinc", "bloom", "btree_gin",
    "btree_gist", "chkpass", "citext", "cube", "dblink", "dict_int", "dict_xsyn", "earthdistance", "file_fdw",
    "fuzzystrmatch", "hstore", "insert_username", "intagg", "intarray", "isn", "lo", "ltree", "moddatetime",
    "pageinspect", "pg_buffercache", "pg_freespacemap", "pg_prewarm", "pg_stat_statements", "pg_trgm",
    "pg_visibility", "pgcrypto", "pgrouting", "pgrowlocks", "pgstattuple", "plpgsql", "postgis", "postgis_raster",
    "postgis_sfcgal", "postgis_tiger_geocoder", "postgis_topology", "postgres_fdw", "refint", "seg", "sslinfo",
    "tablefunc", "tcn", "timetravel", "tsearch2", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp",
    "vector", "xml2",
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", re.ASCII)


def read(fields: Fields | None, service: Fields) -> Found:
    if fields is None:
        return Found(BY_DEFAULT, ("main",), (Endpoint("postgresql", "main", {"main": "admin"}),))
    configuration = PostgresqlConfiguration(
        extensions=_extensions(fields.get("extensions")),
        default_ctype=fields.text("default_ctype") or BY_DEFAULT.default_ctype,
        default_collation=fields.text("default_collation") or BY_DEFAULT.default_collation,
        default_charset=fields.text("default_charset") or BY_DEFAULT.default_charset,
    )
    databases = read_names(fields.get("databases"), "database") if fields.get("databases") else ("main",)
    return Found(configuration, databases, _endpoints(fields, databases))


def _extensions(field: Field | None) -> tuple[str, ...]:
    """What the hosted platforms do not have is warned of: an image of the operator's may have more."""
    found = []
    for item in field.items() if field else []:
        name = item.text()
        if name is not None and not _NAME.fullmatch(name):
            item.wrong("bad-name", f"`{shown(name)}` cannot be the name of an extension",
                       "use letters, digits, `_` and `-`")
        elif name is not None:
            found.append(name)
            if name not in EXTENSIONS:
                near = nearest(name, EXTENSIONS)
                item.warn("not-allowed", f"`{shown(name)}` is no extension of PostgreSQL on the hosted platforms",
                          f"did you mean `{near}`?" if near else "see whether the image of the operator has it")
    return tuple(found)


def _endpoints(fields: Fields, databases: tuple[str, ...]) -> tuple[Endpoint, ...]:
    if fields.get("endpoints") is not None:
        return read_endpoints(fields, ENDPOINT, "database", databases, LEVELS)
    name = "main" if fields.get("databases") is not None else "postgresql"
    return (Endpoint(name, databases[0] if databases else None, dict.fromkeys(databases, "admin")),)


KIND = Kind(read, CONFIGURATION, (ENDPOINT,))
