# ruff: noqa: E501   rows of tables are lines
"""Services as values: every default of every type filled in."""

from __future__ import annotations

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.model import (
    Endpoint,
    MysqlConfiguration,
    MysqlProperties,
    RedisConfiguration,
    SearchConfiguration,
    Service,
    SolrConfiguration,
    SolrCore,
    VaultConfiguration,
    VaultKey,
)
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"


def service(text: str, app: str = "") -> Service:
    result = read_project(DictTree({".platform.app.yaml": APP + app, ".platform/services.yaml": text}))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return result.config.services[0]


@pytest.mark.parametrize("kind", ["mysql", "mariadb", "oracle-mysql"])
def test_mysql_has_a_schema_an_endpoint_and_an_admin_by_default(kind: str) -> None:
    found = service(f"db: {{type: '{kind}:{SERVICE_TYPES[kind].versions.supported[0]}', disk: 512}}")
    assert found.kind == ("oracle-mysql" if kind == "oracle-mysql" else "mariadb")
    assert found.type.startswith(f"{kind}:")
    assert found.schemas == ("main",)
    assert found.endpoints == (Endpoint("mysql", "main", {"main": "admin"}),)


def test_mysql_with_settings_keeps_its_defaults_until_schemas_or_endpoints_are_given() -> None:
    text = "db: {type: 'mariadb:11.8', disk: 512, configuration: {properties: {max_allowed_packet: 64}}}"
    assert service(text).endpoints[0].name == "mysql"
    assert service(text).configuration == MysqlConfiguration(MysqlProperties(max_allowed_packet_mb=64))
    assert service("db: {type: 'mariadb:11.8', disk: 512, configuration: {schemas: [a]}}").endpoints == ()


def test_mysql_endpoints_are_read_with_their_privileges() -> None:
    found = service("""
db:
    type: mariadb:11.8
    disk: 512
    configuration:
        schemas: [shop, stock]
        endpoints:
            admin: {default_schema: shop, privileges: {shop: admin, stock: rw}}
            reporter: {privileges: {shop: ro}}
            bare:
""")
    assert found.schemas == ("shop", "stock")
    assert found.endpoints == (
        Endpoint("admin", "shop", {"shop": "admin", "stock": "rw"}), Endpoint("reporter", None, {"shop": "ro"}), Endpoint("bare"),
    )


@pytest.mark.parametrize(("configuration", "databases", "endpoints"), [
    ("{}", ("main",), (Endpoint("postgresql", "main", {"main": "admin"}),)),
    ("{databases: [a, b]}", ("a", "b"), (Endpoint("main", "a", {"a": "admin", "b": "admin"}),)),
    ("{endpoints: {x: {default_database: main, privileges: {main: rw}}}}", ("main",), (Endpoint("x", "main", {"main": "rw"}),)),
    ("{databases: [a], endpoints: {x: {privileges: {a: ro}}}}", ("a",), (Endpoint("x", None, {"a": "ro"}),)),
])
def test_each_half_of_postgresql_has_a_default_of_its_own(
    configuration: str, databases: tuple[str, ...], endpoints: tuple[Endpoint, ...],
) -> None:
    found = service(f"db: {{type: 'postgresql:18', disk: 512, configuration: {configuration}}}")
    assert (found.schemas, found.endpoints) == (databases, endpoints)


@pytest.mark.parametrize(("kind", "endpoint"), [
    ("redis:8.0", "redis"), ("redis-persistent:8.0", "redis"), ("valkey:9.0", "valkey"), ("valkey-persistent:9.0", "valkey"),
])
def test_a_cache_forgets_what_was_used_least_recently(kind: str, endpoint: str) -> None:
    disk = ", disk: 512" if "persistent" in kind else ""
    found = service(f"cache: {{type: '{kind}'{disk}}}")
    assert [item.name for item in found.endpoints] == [endpoint]
    assert found.configuration == RedisConfiguration("allkeys-lru")
    assert found.disk_mb == (512 if disk else None)


def test_rabbitmq_has_its_virtual_hosts_as_schemas() -> None:
    found = service("mq: {type: 'rabbitmq:4.3', disk: 512, configuration: {vhosts: [a, b]}}")
    assert found.schemas == ("a", "b")
    assert found.endpoints == (Endpoint("rabbitmq"),)


def test_search_engines_have_authentication_where_it_is_asked_for() -> None:
    assert service("s: {type: 'opensearch:3', disk: 512}").configuration == SearchConfiguration()
    text = "s: {type: 'opensearch:3', disk: 512, configuration: {authentication: {enabled: true}, plugins: [analysis-icu]}}"
    assert service(text).configuration == SearchConfiguration(authentication=True, plugins=("analysis-icu",))
    assert service("s: {type: 'elasticsearch-enterprise:9.3', disk: 512}").configuration == SearchConfiguration(authentication=True)


def test_solr_has_one_core_by_default_and_cores_by_name() -> None:
    assert service("s: {type: 'solr:9.9', disk: 512}").endpoints == (Endpoint("solr", "collection1"),)
    found = service("s: {type: 'solr:9.9', disk: 512, configuration: {cores: {a: {}, b: {core_properties: x}}, endpoints: {e: {core: b}}}}")
    assert found.schemas == ("a", "b")
    assert found.endpoints == (Endpoint("e", "b"),)
    assert found.configuration == SolrConfiguration({"a": SolrCore(), "b": SolrCore(core_properties="x")})


def test_vault_has_only_the_endpoints_that_are_named() -> None:
    found = service("v: {type: 'vault-kms:1.12', disk: 512, configuration: {endpoints: {sign: [{policy: sign, key: k, type: sign}]}}}")
    assert found.endpoints == (Endpoint("sign"),)
    assert found.configuration == VaultConfiguration({"sign": (VaultKey("sign", "k", "sign"),)})


@pytest.mark.parametrize("name", [name for name in SERVICE_TYPES if name not in ("varnish", "vault-kms")])
def test_every_type_is_accepted_in_every_version_with_its_default_endpoint(name: str) -> None:
    known = SERVICE_TYPES[name]
    for version in known.versions.all:
        disk = "" if known.least_disk_mb is None else f", disk: {known.least_disk_mb}"
        found = service(f"service: {{type: '{name}:{version}'{disk}}}")
        assert tuple(item.name for item in found.endpoints) == known.endpoints
        assert (found.version, found.disk_mb) == (version, known.least_disk_mb)


def test_a_version_is_the_text_as_written() -> None:
    assert service("e: {type: elasticsearch:7.10, disk: 512}").version == "7.10"


def test_what_is_not_given_has_its_default() -> None:
    found = service("m: {type: 'memcached:1.6', size: null, configuration: null, relationships: null}")
    assert (found.size, found.relationships, found.configuration, found.firewall) == ("AUTO", (), None, None)


@pytest.mark.parametrize(("text", "code"), [
    ("m: {type: 'mercure:0', disk: 256, configuration: {cors_origins: [shop.example]}}", "bad-url"),
    ("m: {type: 'mercure:0', disk: 256, configuration: {cors_origins: [\"https://x\\r\\nSet-Cookie: a\"]}}", "bad-url"),
    ("v: {type: 'varnish:7.7', relationships: {'a; } sub b {': 'app:http'}, configuration: {vcl: 'backend_hint'}}", "bad-name"),
])
def test_what_would_break_out_of_a_service_s_configuration_is_refused(text: str, code: str) -> None:
    result = read_project(DictTree({
        ".platform.app.yaml": "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n",
        ".platform/services.yaml": text + "\n",
    }))
    assert [error.code for error in result.errors] == [code]


def test_no_route_leads_to_the_pages_of_varnish_about_itself() -> None:
    result = read_project(DictTree({
        ".platform.app.yaml": "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n",
        ".platform/services.yaml": "v: {type: 'varnish:7.7', relationships: {a: 'app:http'}, configuration: {vcl: backend_hint}}\n",
        ".platform/routes.yaml": '"http://{default}/": {type: upstream, upstream: "v:http+stats"}\n',
    }))
    assert [error.code for error in result.errors] == ["not-http"]
