"""`configuration` of a service, one class for each kind that has settings; schemas and endpoints stand in `Service`.

Defaults are those of a service that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deployd.project.model.json import nothing


@dataclass(frozen=True, slots=True)
class MysqlProperties:
    """Settings of the server. None: as the server has it by itself."""

    max_allowed_packet_mb: int = 16
    max_heap_table_size_mb: int = 32
    default_charset: str = "utf8mb4"
    default_collation: str | None = "utf8mb4_unicode_ci"
    """None with a `default_charset` of the files' own: the server has one for each, and refuses another's."""
    table_definition_cache: int = 400
    table_open_cache: int = 400
    optimizer_switch: str | None = None
    optimizer_use_condition_selectivity: int | None = None
    innodb_adaptive_hash_index: int | None = None
    wsrep_sync_wait: int | None = None


@dataclass(frozen=True, slots=True)
class MysqlConfiguration:
    """`mariadb`, `mysql`, `oracle-mysql`"""

    properties: MysqlProperties = MysqlProperties()


@dataclass(frozen=True, slots=True)
class PostgresqlConfiguration:
    """`postgresql`"""

    extensions: tuple[str, ...] = ()
    """Created in each database."""
    default_ctype: str = "C.UTF-8"
    default_collation: str = "C.UTF-8"
    default_charset: str = "UTF8"


@dataclass(frozen=True, slots=True)
class RedisConfiguration:
    """`redis`, `valkey`, and both with `-persistent`"""

    maxmemory_policy: str = "allkeys-lru"


@dataclass(frozen=True, slots=True)
class SearchConfiguration:
    """`elasticsearch`, `elasticsearch-enterprise`, `opensearch`"""

    authentication: bool = False
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SolrCore:
    conf_dir: str | None = None
    """An archive, as base64."""
    core_properties: str | None = None


@dataclass(frozen=True, slots=True)
class SolrConfiguration:
    """`solr`"""

    cores: Mapping[str, SolrCore] = field(default_factory=nothing)
    core_config: str | None = None
    """An archive, as base64; before Solr 6, of the only core."""
    configsets: Mapping[str, str] = field(default_factory=nothing)
    """{name: archive, as base64}"""
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VarnishConfiguration:
    """`varnish`"""

    vcl: str = ""
    vcl_file: str = ""
    """Where that was read from; "" when it stands in the services file itself."""


@dataclass(frozen=True, slots=True)
class VaultKey:
    """What an endpoint may do with one key."""

    policy: str
    key: str
    type: Literal["sign", "encrypt"]


@dataclass(frozen=True, slots=True)
class VaultConfiguration:
    """`vault-kms`"""

    keys: Mapping[str, tuple[VaultKey, ...]] = field(default_factory=nothing)
    """{endpoint: its keys}"""


@dataclass(frozen=True, slots=True)
class MercureConfiguration:
    """`mercure`"""

    anonymous: bool = False
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClickhouseConfiguration:
    """`clickhouse`"""

    ports: Mapping[str, int] = field(default_factory=nothing)
    """{endpoint: where it comes in}, of those that say so"""


ServiceConfiguration = (
    MysqlConfiguration | PostgresqlConfiguration | RedisConfiguration | SearchConfiguration | SolrConfiguration
    | VarnishConfiguration | VaultConfiguration | MercureConfiguration | ClickhouseConfiguration
)
