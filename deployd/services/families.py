"""The kinds of services that deployd can run, in one dictionary. A new kind is a row here and a file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from deployd.errors import DeployError
from deployd.project.model import Service
from deployd.project.offered.services import WITHOUT_CONTAINER
from deployd.services import rabbitmq
from deployd.services.chrome_headless import ChromeHeadless
from deployd.services.clickhouse import ClickHouse
from deployd.services.family import Family
from deployd.services.front import Front
from deployd.services.gotenberg import Gotenberg
from deployd.services.influxdb import InfluxDb
from deployd.services.kafka import Kafka
from deployd.services.mariadb import MariaDb
from deployd.services.memcached import Memcached
from deployd.services.mercure import Mercure
from deployd.services.mongodb import MongoDb
from deployd.services.oracle_mysql import OracleMySql
from deployd.services.postgresql import PostgreSql
from deployd.services.redis import Redis
from deployd.services.search import Search
from deployd.services.solr import Solr
from deployd.services.varnish import Varnish
from deployd.services.vault import Vault

_VARNISH = Varnish()
FAMILIES: Mapping[str, Family] = {
    "mariadb": MariaDb(),
    "oracle-mysql": OracleMySql(),
    "postgresql": PostgreSql(),
    "redis": Redis("redis"),
    "redis-persistent": Redis("redis", persistent=True),
    "valkey": Redis("valkey"),
    "valkey-persistent": Redis("valkey", persistent=True),
    "rabbitmq": rabbitmq.RabbitMq(),
    "memcached": Memcached(),
    "varnish": _VARNISH,
    "opensearch": Search("opensearch"),
    "elasticsearch": Search("elasticsearch"),
    "solr": Solr(),
    "kafka": Kafka(),
    "clickhouse": ClickHouse(),
    "influxdb": InfluxDb(),
    "vault-kms": Vault(),
    "mongodb": MongoDb(),
    "mongodb-enterprise": MongoDb(),
    "chrome-headless": ChromeHeadless(),
    "gotenberg": Gotenberg(),
    "mercure": Mercure(),
}
FRONTS: Mapping[str, Front] = {"varnish": _VARNISH}
"""Those that stand before applications."""
SECRET_FORMS: Mapping[str, str] = {"password": "{}", **rabbitmq.SECRET_FORMS}
"""{name: how the file with the secret `root` is written}. Of each service there are all: after a start of the host its
kind is not known."""
RUNNABLE = frozenset(FAMILIES) | WITHOUT_CONTAINER


class ServiceNotSupported(DeployError):
    """The files ask for a kind of service that deployd cannot run."""

    code: ClassVar[str] = "service-not-supported"


def endpoint_port(service: Service, endpoint: str) -> int:
    """Where one of its endpoints listens."""
    family = family_of(service)
    credential = family.credentials(service, lambda _: "").get(endpoint)
    return (credential and credential.port) or family.connection.port


def family_of(service: Service) -> Family:
    """What is known of the service's kind.

    Raises:
        ServiceNotSupported: Nothing.
    """
    family = FAMILIES.get(service.kind)
    if family is None:
        raise ServiceNotSupported(
            f"the service {service.name} is of type {service.type}, which deployd cannot run; it can run: "
            f"{', '.join(FAMILIES)}",
            where=str(service.place), hint="use one of these types",
        )
    return family
