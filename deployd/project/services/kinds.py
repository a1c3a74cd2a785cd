"""Which kinds of services have settings, in one dictionary (configuration format 5.4). Pure.

A new one is a row here and a file beside this one, which reads its `configuration` into a class of
`model/service_configuration.py`. A kind without a row has no documented settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Table
from deployd.project.findings.spelling import shown
from deployd.project.model.service import Endpoint
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.services import mercure, mysql, postgresql, rabbitmq, redis, search, solr, varnish, vault
from deployd.project.services.found import Found, Read

KINDS: Mapping[str, tuple[Table, Read]] = {
    "mariadb": (mysql.CONFIGURATION, mysql.read),
    "oracle-mysql": (mysql.CONFIGURATION, mysql.read),
    "postgresql": (postgresql.CONFIGURATION, postgresql.read),
    "redis": (redis.CONFIGURATION, redis.read),
    "redis-persistent": (redis.CONFIGURATION, redis.read),
    "valkey": (redis.CONFIGURATION, redis.read),
    "valkey-persistent": (redis.CONFIGURATION, redis.read),
    "elasticsearch": (search.CONFIGURATION, search.read),
    "elasticsearch-enterprise": (search.CONFIGURATION, search.read_enterprise),
    "opensearch": (search.CONFIGURATION, search.read),
    "rabbitmq": (rabbitmq.CONFIGURATION, rabbitmq.read),
    "solr": (solr.CONFIGURATION, solr.read),
    "varnish": (varnish.CONFIGURATION, varnish.read),
    "vault-kms": (vault.CONFIGURATION, vault.read),
    "mercure": (mercure.CONFIGURATION, mercure.read),
}


def read_configuration(kind: str, service: Fields) -> Found:
    """Everything that `configuration` says, and the defaults for what it does not say."""
    if kind in KINDS:
        table, read = KINDS[kind]
        found = read(service.fields("configuration", table), service)
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
