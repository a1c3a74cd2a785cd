"""Which kinds of services have settings, in one dictionary (configuration format 5.4). Pure.

A new one is a row here and a file beside this one, which reads its `configuration` into a class of
`model/service_configuration.py`. A kind without a row has no documented settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deployd.project.fields.fields import Fields
from deployd.project.findings.spelling import shown
from deployd.project.model.service import Endpoint
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.services import (
    clickhouse,
    mercure,
    mysql,
    postgresql,
    rabbitmq,
    redis,
    search,
    solr,
    varnish,
    vault,
)
from deployd.project.services.kind import Found, Kind

KINDS: Mapping[str, Kind] = {
    "mariadb": mysql.KIND,
    "oracle-mysql": mysql.ORACLE,
    "postgresql": postgresql.KIND,
    "redis": redis.KIND,
    "redis-persistent": redis.KIND,
    "valkey": redis.KIND,
    "valkey-persistent": redis.KIND,
    "elasticsearch": search.KIND,
    "elasticsearch-enterprise": search.ENTERPRISE,
    "opensearch": search.KIND,
    "rabbitmq": rabbitmq.KIND,
    "solr": solr.KIND,
    "varnish": varnish.KIND,
    "vault-kms": vault.KIND,
    "mercure": mercure.KIND,
    "clickhouse": clickhouse.KIND,
}


def read_configuration(kind: str, service: Fields) -> Found:
    """Everything that `configuration` says, and the defaults for what it does not say."""
    if kind in KINDS:
        known = KINDS[kind]
        found = known.read(service.fields("configuration", known.configuration), service)
    else:
        _warn_of_settings(kind, service)
        found = Found()
    if found.endpoints is not None:
        return found
    return replace(found, endpoints=tuple(map(Endpoint, SERVICE_TYPES[kind].endpoints)))


def _warn_of_settings(kind: str, service: Fields) -> None:
    for name, entry in service.entries("configuration"):
        entry.warn_name(
            "not-honoured",
            f"`{shown(name)}` has no effect: a service of type {kind} has no documented settings",
            "remove it",
        )
