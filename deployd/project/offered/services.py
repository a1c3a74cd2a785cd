"""Every service type that the hosted platforms ever offered: endpoints, disk, versions (configuration
format 5.2). Values only.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.project.offered.versions import Versions, versions


@dataclass(frozen=True, slots=True)
class ServiceType:
    endpoints: tuple[str, ...]
    """What it offers when `configuration` defines nothing, the default one first; () when it has no default."""
    least_disk_mb: int | None
    """None: it keeps everything in memory and has no disk."""
    versions: Versions
    means: str = ""
    """The kind of which this is another spelling."""
    speaks_http: bool = False
    """A route can lead to it."""
    has_container: bool = True
    """Else it is a folder on the host, for mounts."""
    asks_applications: bool = False
    """It stands before applications, which its `relationships` name."""
    majors_differ: bool = False
    """Clients of one major version do not work with the next one."""
    private_endpoints: tuple[str, ...] = ()
    """No route may lead to them."""


def _type(endpoints: str, disk: int | None, supported: str, retired: str = "", means: str = "") -> ServiceType:
    return ServiceType(tuple(endpoints.split()), disk, versions(supported, retired), means)


def _http(
    endpoints: str, disk: int | None, supported: str, retired: str = "", majors_differ: bool = False,
) -> ServiceType:
    return ServiceType(
        tuple(endpoints.split()), disk, versions(supported, retired), speaks_http=True, majors_differ=majors_differ,
    )


_MARIADB = ("11.4 11.8 12.3", "5.5 10.0 10.1 10.2 10.3 10.4 10.5 10.6 10.11 11 11.0 11.2 11.3")
_REDIS = ("7.2 8.0 8.8", "2.8 3.0 3.2 4.0 5.0 6.0 6.2 7.0")
_VALKEY = ("8.0 8.1 9.0", "")

SERVICE_TYPES: dict[str, ServiceType] = {
    "mariadb": _type("mysql", 256, *_MARIADB),
    "mysql": _type("mysql", 256, *_MARIADB, means="mariadb"),
    "oracle-mysql": _type("mysql", 256, "8.4", "5.7 8.0"),
    "postgresql": _type("postgresql", 128, "14 15 16 17 18", "9.3 9.4 9.5 9.6 10 11 12 13"),
    "redis": _type("redis", None, *_REDIS),
    "redis-persistent": _type("redis", 128, *_REDIS),
    "valkey": _type("valkey", None, *_VALKEY),
    "valkey-persistent": _type("valkey", 128, *_VALKEY),
    "memcached": _type("memcached", None, "1.6", "1.4 1.5"),
    "elasticsearch": _http(
        "elasticsearch", 256, "7.10", "0.90 1.4 1.7 2.4 5.2 5.4 5.6 6.5 6.8 7.2 7.5 7.6 7.7 7.9 7.12 7.17 8.5",
        majors_differ=True,
    ),
    "elasticsearch-enterprise": _http("elasticsearch", 512, "8.19 9.3", "7.17 8.5", majors_differ=True),
    "opensearch": _http("opensearch", 256, "3", "1 1.1 1.2 1.3 2 2.0 2.5"),
    "solr": _http(
        "solr", 256, "9.1 9.2 9.4 9.6 9.9 10.0", "3.6 4.1 4.10 6.3 6.6 7.6 7.7 8.0 8.4 8.6 8.11 9.0 9.7",
        majors_differ=True,
    ),
    "rabbitmq": _type("rabbitmq", 256, "4.3", "3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13 4.0 4.1"),
    "mongodb": _type("mongodb", 512, "4.0", "3.0 3.2 3.4 3.6"),
    "mongodb-enterprise": _type("mongodb", 512, "7.0", "4.0 4.2 4.4 5.0 6.0"),
    "kafka": _type("kafka", 512, "3.6 3.7 4.1 4.3", "2.1 2.2 2.3 2.4 2.5 2.6 2.7 3.2 3.4"),
    "influxdb": _http("influxdb", 128, "2.3 2.7 3", "1.2 1.3 1.7 1.8 2.0 2.1 2.2", majors_differ=True),
    "varnish": ServiceType(
        ("http", "http+stats"), None, versions("6.0 7.7 9.0", "5.1 5.2 5.6 6.3 6.4 6.5 7.1 7.2 7.3 7.6"),
        speaks_http=True, asks_applications=True, private_endpoints=("http+stats",),
    ),
    "vault-kms": _http("", 512, "1.12", "1.6 1.8"),
    "network-storage": ServiceType((), 128, versions("1.0", "0.2 2.0"), has_container=False),
    "chrome-headless": _http("http", None, "113 120 156", "73 80 81 83 84 86 91 95"),
    "gotenberg": _http("http gotenberg", None, "8", "8.25"),
    "mercure": _http("mercure", 256, "0", "0.21"),
    "clickhouse": _http("clickhouse clickhouse-http", 512, "25.8 26.3", "23.8 24.3 25.3"),
}
WITHOUT_CONTAINER = frozenset(name for name, known in SERVICE_TYPES.items() if not known.has_container)


def versions_offered() -> dict[str, tuple[str, ...]]:
    """{kind of service: every version that the hosted platforms ever offered}"""
    return {kind: known.versions.all for kind, known in SERVICE_TYPES.items()}
