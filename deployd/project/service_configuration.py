"""`configuration` of a service, by its type (configuration format 5.4). Pure.

A new type with settings is one more row in `_READERS`; a type without one has no documented settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deployd.project.databases import MYSQL, POSTGRESQL, read_mysql, read_postgresql
from deployd.project.keys import Key, Table
from deployd.project.model import Endpoint, Json
from deployd.project.service_types import SERVICE_TYPES
from deployd.project.shape import Fields
from deployd.project.spelling import shown


@dataclass(frozen=True, slots=True)
class Configuration:
    schemas: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    rest: Mapping[str, Json] = field(default_factory=dict)


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
SOLR = Table(
    "configuration (solr)",
    (
        Key("core_config", "archive", "4.x: the only core's configuration"),
        Key("cores", "mapping", "6 and later: `conf_dir` or `core_properties` by core"),
        Key("configsets", "mapping of archives", "shared by cores"),
        Key("endpoints", "mapping to `{core: name}`", default="`solr` on `collection1`"),
        Key("modules", "list of names", "9.9 and later"),
    ),
    noun="`configuration` of solr",
)
SOLR_CORE = Table(
    "configuration.cores.<name>", (Key("conf_dir", "archive"), Key("core_properties", "text")), noun="a core"
)
SOLR_ENDPOINT = Table(
    "configuration.endpoints.<name> (solr)",
    (Key("core", "name of a core", default="required"),),
    noun="an endpoint of solr",
)
VARNISH = Table(
    "configuration (varnish)",
    (Key("vcl", "text, by `!include`", "must set `req.backend_hint`", "required"),),
    noun="`configuration` of varnish",
)
VAULT = Table(
    "configuration (vault-kms)",
    (Key("endpoints", "mapping to lists of `{policy, key, type}`", default="required"),),
    noun="`configuration` of vault-kms",
)
VAULT_KEY = Table(
    "configuration.endpoints.<name>[] (vault-kms)",
    (
        Key("policy", "`admin`, `sign`, `verify`, `encrypt`, `decrypt` or `rewrap`", default="required"),
        Key("key", "name", default="required"),
        Key("type", "`sign` or `encrypt`", default="required"),
    ),
    noun="an entry of an endpoint",
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


def _default_endpoints(kind: str, default: str | None = None) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(name, default) for name in SERVICE_TYPES[kind].endpoints)


def _without_settings(kind: str, service: Fields) -> Configuration:
    found = {}
    for name, entry in service.entries("configuration"):
        entry.warn_name(
            "not-honoured",
            f"`{shown(name)}` has no effect: a service of type {kind} has no documented settings",
            "remove it",
        )
        found[name] = entry.json()
    return Configuration((), _default_endpoints(kind), found)


def _mysql(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    schemas, endpoints, rest = read_mysql(fields)
    return Configuration(schemas, endpoints, rest)


def _postgresql(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    schemas, endpoints, rest = read_postgresql(fields)
    return Configuration(schemas, endpoints, rest)


def _redis(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    policy = fields.get("maxmemory_policy") if fields else None
    name = (policy.one_of(POLICIES) if policy else None) or "allkeys-lru"
    return Configuration((), _default_endpoints(kind), {"maxmemory_policy": name})


def _search(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    always = kind.endswith("-enterprise")
    if fields is None:
        return Configuration((), _default_endpoints(kind), {"authentication": always, "plugins": []})
    authentication = fields.fields("authentication", AUTHENTICATION)
    enabled = authentication.boolean("enabled") if authentication else False
    return Configuration(
        (), _default_endpoints(kind), {"authentication": enabled or always, "plugins": list(fields.texts("plugins"))}
    )


def _rabbitmq(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    return Configuration(fields.texts("vhosts") if fields else (), _default_endpoints(kind))


def _solr(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    if fields is None:
        return Configuration(("collection1",), (Endpoint("solr", "collection1"),))
    rest: dict[str, Json] = {}
    cores: dict[str, Json] = {}
    for name, entry in fields.entries("cores"):
        core = entry.fields(SOLR_CORE) if not entry.is_null() else None
        cores[name] = {key: value.json() for key, value in core if not value.is_null()} if core else {}
    if cores:
        rest["cores"] = cores
    if fields.get("core_config") is not None:
        rest["core_config"] = fields.text("core_config")
    if fields.get("configsets") is not None:
        rest["configsets"] = fields.json_of_names("configsets")
    if fields.get("modules") is not None:
        rest["modules"] = list(fields.texts("modules"))
    endpoints = []
    for name, entry in fields.entries("endpoints"):
        endpoint = entry.fields(SOLR_ENDPOINT)
        core_field = endpoint.require("core", "say which core") if endpoint else None
        core_name = core_field.text() if core_field else None
        if core_field is not None and core_name is not None and core_name not in cores:
            core_field.wrong("no-such-core", f"there is no core `{shown(core_name)}`", "define it under `cores`")
        endpoints.append(Endpoint(name, core_name))
    if not cores and not endpoints:
        return Configuration(("collection1",), (Endpoint("solr", "collection1"),), rest)
    if not endpoints:
        endpoints = [Endpoint("solr", next(iter(cores)))]
    return Configuration(tuple(cores), tuple(endpoints), rest)


def _varnish(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    if fields is None:
        service.require("configuration", "add `configuration: {vcl: !include {type: string, path: config.vcl}}`")
        return Configuration((), _default_endpoints(kind))
    vcl = fields.require("vcl", "include the file: `vcl: !include {type: string, path: config.vcl}`")
    return Configuration((), _default_endpoints(kind), {"vcl": (vcl.text() if vcl else None) or ""})


def _vault(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    if fields is None or fields.require("endpoints", "name at least one endpoint") is None:
        if fields is None:
            service.require("configuration", "add `configuration: {endpoints: …}`")
        return Configuration()
    endpoints, rest = [], {}
    for name, entry in fields.entries("endpoints"):
        keys: list[Json] = []
        for item in entry.items():
            row = item.fields(VAULT_KEY)
            if row is None:
                continue
            policy, key, type_ = row.require("policy"), row.require("key"), row.require("type")
            keys.append(
                {
                    "policy": policy.one_of(("admin", "sign", "verify", "encrypt", "decrypt", "rewrap"))
                    if policy
                    else None,
                    "key": key.text() if key else None,
                    "type": type_.one_of(("sign", "encrypt")) if type_ else None,
                }
            )
        endpoints.append(Endpoint(name))
        rest[name] = keys
    return Configuration((), tuple(endpoints), {"endpoints": rest})


def _mercure(kind: str, version: str, fields: Fields | None, service: Fields) -> Configuration:
    rest: dict[str, Json] = {}
    if fields is not None:
        rest = {"anonymous": fields.boolean("anonymous"), "cors_origins": list(fields.texts("cors_origins"))}
    return Configuration((), _default_endpoints(kind), rest)


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
    "solr": (SOLR, _solr),
    "varnish": (VARNISH, _varnish),
    "vault-kms": (VAULT, _vault),
    "mercure": (MERCURE, _mercure),
}
