"""`configuration` of a service, by its type (configuration format 5.4). Pure.

A new type with settings is one more row in `_READERS`; a type without one has no documented settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from deployd.project.fields.keys import Key, Table
from deployd.project.fields.shape import Field, Fields
from deployd.project.findings.spelling import shown
from deployd.project.model import Json
from deployd.project.offered.service_defaults import Configuration, default_endpoints
from deployd.project.services.databases import MYSQL, POSTGRESQL, read_mysql, read_postgresql
from deployd.project.services.solr import SOLR, read_solr
from deployd.project.services.vault import VAULT, read_vault

POLICIES = (
    "allkeys-lru",
    "noeviction",
    "allkeys-lfu",
    "volatile-lru",
    "volatile-lfu",
    "allkeys-random",
    "volatile-random",
    "volatile-ttl",
)
REDIS = Table(
    "configuration (redis, valkey)",
    (Key("maxmemory_policy", "policy", "what is forgotten when the memory is full", "`allkeys-lru`"),),
    noun="`configuration` of redis",
)
SEARCH = Table(
    "configuration (elasticsearch, opensearch)",
    (
        Key("authentication", "mapping: `enabled`", "user and password for the endpoint", "`{enabled: false}`"),
        Key("plugins", "list of names", "installed at the start", "`[]`"),
    ),
    noun="`configuration` of a search engine",
)
AUTHENTICATION = Table(
    "configuration.authentication", (Key("enabled", "boolean", default="`false`"),), noun="`authentication`"
)
RABBITMQ = Table(
    "configuration (rabbitmq)",
    (Key("vhosts", "list of names", "virtual hosts that exist", "`/`"),),
    noun="`configuration` of rabbitmq",
)
VARNISH = Table(
    "configuration (varnish)",
    (Key("vcl", "text, by `!include`", "must set `req.backend_hint`", "required"),),
    noun="`configuration` of varnish",
)
MERCURE = Table(
    "configuration (mercure)",
    (Key("anonymous", "boolean"), Key("cors_origins", "list of origins")),
    noun="`configuration` of mercure",
)


def read_configuration(kind: str, version: str, service: Fields) -> Configuration:
    """Everything that `configuration` says, and the defaults for what it does not say."""
    row = _READERS.get(kind)
    configuration = service.get("configuration")
    if row is None:
        return _without_settings(kind, service)
    table, read = row
    fields = configuration.fields(table) if configuration else None
    return read(kind, version, fields, service)


def _without_settings(kind: str, service: Fields) -> Configuration:
    found = {}
    for name, entry in service.entries("configuration"):
        entry.warn_name(
            "not-honoured",
            f"`{shown(name)}` has no effect: a service of type {kind} has no documented settings",
            "remove it",
        )
        found[name] = entry.json()
    return Configuration((), default_endpoints(kind), found)


def _mysql(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    schemas, endpoints, rest = read_mysql(fields)
    return Configuration(schemas, endpoints, rest)


def _postgresql(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    schemas, endpoints, rest = read_postgresql(fields)
    return Configuration(schemas, endpoints, rest)


def _redis(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    policy = fields.get("maxmemory_policy") if fields else None
    name = (policy.one_of(POLICIES) if policy else None) or "allkeys-lru"
    return Configuration((), default_endpoints(kind), {"maxmemory_policy": name})


def _search(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    always = kind.endswith("-enterprise")
    if fields is None:
        return Configuration((), default_endpoints(kind), {"authentication": always, "plugins": []})
    authentication = fields.fields("authentication", AUTHENTICATION)
    enabled = authentication.boolean("enabled") if authentication else False
    return Configuration(
        (), default_endpoints(kind), {"authentication": enabled or always, "plugins": list(fields.texts("plugins"))}
    )


def _rabbitmq(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    return Configuration(fields.texts("vhosts") if fields else (), default_endpoints(kind))


def _varnish(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    if fields is None:
        service.require("configuration", "add `configuration: {vcl: !include {type: string, path: config.vcl}}`")
        return Configuration((), default_endpoints(kind))
    field = fields.require("vcl", "include the file: `vcl: !include {type: string, path: config.vcl}`")
    vcl = (field.text() if field else None) or ""
    if field is not None and vcl:
        _check_vcl(field, vcl)
    return Configuration((), default_endpoints(kind), {"vcl": vcl})


def _check_vcl(field: Field, vcl: str) -> None:
    """What the platform puts around the text, and what it needs in it (configuration format 5.4)."""
    said = _VCL_COMMENT.sub(" ", vcl)
    for pattern, what in _GENERATED_VCL:
        if re.search(pattern, said, re.MULTILINE):
            field.warn(
                "bad-vcl", f"the VCL has {what}, which is generated",
                "remove it; the manual of the hosted platforms forbids it",
            )
    if "backend_hint" not in said:
        field.warn(
            "bad-vcl",
            "the VCL does not set `req.backend_hint`, so no request reaches an application",
            "set it in `vcl_recv`: `set req.backend_hint = <relationship>.backend();`",
        )


def _mercure(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    rest: dict[str, Json] = {}
    if fields is not None:
        rest = {"anonymous": fields.boolean("anonymous"), "cors_origins": list(fields.texts("cors_origins"))}
    return Configuration((), default_endpoints(kind), rest)


_VCL_COMMENT = re.compile(r"/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/|\Z)|(?:#|//)[^\n]*")
_GENERATED_VCL = (
    (r"^\s*vcl\s+\d", "a version line"),
    (r"^\s*sub\s+vcl_init\b", "a subroutine `vcl_init`"),
    (r"^\s*import\s+(std|directors)\b", "an import of `std` or `directors`"),
)
_Reader = Callable[[str, str, Fields | None, Fields], Configuration]
_READERS: dict[str, tuple[Table, _Reader]] = {
    "mariadb": (MYSQL, _mysql),
    "oracle-mysql": (MYSQL, _mysql),
    "postgresql": (POSTGRESQL, _postgresql),
    "redis": (REDIS, _redis),
    "redis-persistent": (REDIS, _redis),
    "valkey": (REDIS, _redis),
    "valkey-persistent": (REDIS, _redis),
    "elasticsearch": (SEARCH, _search),
    "elasticsearch-enterprise": (SEARCH, _search),
    "opensearch": (SEARCH, _search),
    "rabbitmq": (RABBITMQ, _rabbitmq),
    "solr": (SOLR, read_solr),
    "varnish": (VARNISH, _varnish),
    "vault-kms": (VAULT, read_vault),
    "mercure": (MERCURE, _mercure),
}
