"""What the families of services say: parts, credentials, relationship objects, statements."""

import base64
import hashlib
import json

import pytest

from deployd.environment.relationships import Address, Credential, Related
from deployd.project.model import (
    Endpoint,
    MysqlConfiguration,
    MysqlProperties,
    Place,
    PostgresqlConfiguration,
    Service,
)
from deployd.project.reader import read_project
from deployd.services.families import FAMILIES, SECRET_FORMS, ServiceNotSupported, family_of
from deployd.services.family import SECRET_FILE
from deployd.services.rabbitmq import password_hash
from tests.doubles.trees import DictTree

EXAMPLE_KEYS = {
    "username", "password", "scheme", "host", "port", "path", "query", "fragment", "ip", "hostname", "service", "rel",
    "type", "public", "host_mapped", "cluster",
}
DEFAULTS = {
    "mariadb": ("mysql", "main"), "postgresql": ("postgresql", "main"), "redis": ("redis", None),
    "redis-persistent": ("redis", None), "valkey": ("valkey", None), "valkey-persistent": ("valkey", None),
    "rabbitmq": ("rabbitmq", None), "memcached": ("memcached", None), "varnish": ("http", None),
    "oracle-mysql": ("mysql", "main"), "opensearch": ("opensearch", None), "kafka": ("kafka", None),
    "mongodb": ("mongodb", "main"), "mongodb-enterprise": ("mongodb", "main"), "influxdb": ("influxdb", None),
    "clickhouse": ("clickhouse", "main"), "vault-kms": ("sign", None),
    "elasticsearch": ("elasticsearch", None), "solr": ("solr", "collection1"),
    "chrome-headless": ("http", None), "gotenberg": ("http", None), "mercure": ("mercure", None),
}


def service(kind: str, *endpoints: Endpoint, **more: object) -> Service:
    name, schema = DEFAULTS[kind]
    default = Endpoint(name, schema, {schema: "admin"} if schema else {})
    return Service("it", kind, "1", f"{kind}:1", 512, **{
        "schemas": (schema,) if schema else (), "endpoints": endpoints or (default,), **more,
    })


def read_service(text: str) -> Service:
    app = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
    config = read_project(DictTree({".platform.app.yaml": app, ".platform/services.yaml": f"it: {text}"})).config
    assert config
    return config.services[0]


class Recorder:
    """Answers a family's programs, and keeps what they were given."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.argv: list[tuple[str, ...]] = []
        self.stdin = b""

    async def __call__(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        self.argv.append(argv)
        self.stdin += stdin or b""
        return self.answers.pop(0) if self.answers else b""


def secret(name: str) -> str:
    return f"secret-of-{name}"


@pytest.mark.parametrize("kind", FAMILIES)
def test_parts_hold_no_secret_and_are_the_same_each_time(kind):
    parts = family_of(service(kind)).parts(service(kind), memory_mb=512)
    assert parts == family_of(service(kind)).parts(service(kind), memory_mb=512)
    assert "secret" not in repr(parts).replace("secret_environment", "")
    assert {"/run", "/tmp"} <= set(parts.tmpfs)
    assert parts.health.timeout_seconds > 30     # the command waits half a minute once all is well


@pytest.mark.parametrize(("kind", "user", "scheme", "port"), [
    ("mariadb", "user", "mysql", 3306), ("postgresql", "main", "pgsql", 5432), ("redis", None, "redis", 6379),
    ("redis-persistent", None, "redis", 6379), ("valkey", None, "valkey", 6379), ("rabbitmq", "guest", "amqp", 5672),
    ("oracle-mysql", "user", "mysql", 3306), ("opensearch", None, "http", 9200), ("kafka", None, "kafka", 9092),
    ("mongodb", "main", "mongodb", 27017), ("influxdb", "admin", "http", 8086), ("clickhouse", "main", "http", 9000),
    ("elasticsearch", None, "http", 9200),
])
def test_a_relationship_object_has_all_keys_of_the_public_example(kind, user, scheme, port):
    it = service(kind)
    endpoint, path = DEFAULTS[kind]
    credential = family_of(it).credentials(it, secret)[endpoint]
    address = Address("host-of-it", "10.0.0.2", "shop-main")
    connection = family_of(it).connection
    value = Related("database", it.name, endpoint, it.type, connection, address, credential).as_json()
    assert set(value) == EXAMPLE_KEYS
    assert connection.port == family_of(it).parts(it, memory_mb=512).port
    assert (value["username"], value["scheme"], value["port"], value["path"]) == (user, scheme, port, path)
    assert (value["host"], value["ip"], value["hostname"]) == ("database.internal", "10.0.0.2", "host-of-it")
    assert (value["service"], value["rel"], value["type"]) == ("it", endpoint, f"{kind}:1")
    assert value["password"] == (None if user is None else f"secret-of-{endpoint}")
    json.dumps(value)


@pytest.mark.parametrize(("kind", "there"), [
    ("mariadb", "/var/lib/mysql"), ("postgresql", "/var/lib/postgresql/data"), ("rabbitmq", "/var/lib/rabbitmq"),
    ("redis-persistent", "/data"), ("valkey-persistent", "/data"), ("redis", None), ("valkey", None),
    ("oracle-mysql", "/var/lib/mysql"), ("opensearch", "/usr/share/opensearch/data"), ("kafka", "/var/lib/kafka/data"),
    ("mongodb", "/data/db"), ("influxdb", "/var/lib/influxdb"), ("clickhouse", "/var/lib/clickhouse"),
    ("vault-kms", "/vault/file"), ("elasticsearch", "/usr/share/elasticsearch/data"),
])
def test_data_lie_where_the_official_images_have_them(kind, there):
    assert family_of(service(kind)).parts(service(kind), memory_mb=512).volume_path == there


def test_memory_of_redis_follows_the_size_and_of_a_persistent_one_the_disk():
    def limit(kind: str, disk_mb: int) -> str:
        it = Service("it", kind, "1", kind, disk_mb)
        command = family_of(it).parts(it, memory_mb=512).command
        return command[command.index("--maxmemory") + 1]

    assert limit("redis", 200) == "384mb"
    assert limit("redis-persistent", 200) == "100mb"
    assert limit("redis-persistent", 4096) == "384mb"


def test_settings_of_mariadb_become_flags_over_the_defaults():
    it = service("mariadb", configuration=MysqlConfiguration(MysqlProperties(
        max_allowed_packet_mb=64, default_charset="latin1", default_collation=None,
    )))
    flags = family_of(it).parts(it, memory_mb=1000).command
    assert "--innodb-buffer-pool-size=450M" in flags
    assert "--max-allowed-packet=64M" in flags
    assert "--character-set-server=latin1" in flags
    assert "--table-open-cache=400" in flags


def test_another_charset_brings_its_own_collation_unless_one_is_named():
    def collations(properties: str) -> list[str]:
        it = read_service(f"{{type: 'mariadb:11.8', disk: 512, configuration: {{properties: {properties}}}}}")
        return [flag for flag in family_of(it).parts(it, memory_mb=512).command if "collation" in flag]

    assert collations("{}") == ["--collation-server=utf8mb4_unicode_ci"]
    assert collations("{default_charset: latin1}") == []
    assert collations("{default_charset: latin1, default_collation: latin1_bin}") == ["--collation-server=latin1_bin"]


async def test_passwords_go_by_standard_input_and_not_by_arguments():
    for kind in ("mariadb", "oracle-mysql", "postgresql", "rabbitmq", "mongodb", "influxdb", "clickhouse"):
        it, execute = service(kind), Recorder()
        await family_of(it).provision(execute, it, family_of(it).credentials(it, secret))
        assert "secret-of" not in repr(execute.argv)
        assert (b"secret-of" in execute.stdin) == (kind not in ("rabbitmq", "clickhouse"))   # which are given a hash


@pytest.mark.parametrize("kind", ["mariadb", "oracle-mysql"])
async def test_mariadb_grants_before_it_revokes_and_drops_only_users_that_are_not_wanted(kind):
    it = service(kind, Endpoint("mysql", "main", {"main": "rw"}), Endpoint("o'hara", None, {"my_db": "ro"}))
    upgrade = (b"",) if kind == "mariadb" else ()
    execute = Recorder(*upgrade, b"user\nold\n", b"user\tmain\nuser\tother\\\\_db\nold\tmain\n")
    await family_of(it).provision(execute, it, {
        "mysql": Credential("user", "it's\\", "main"), "o'hara": Credential("o'hara", "x", None),
    })
    text = execute.stdin.decode()
    assert "ALTER USER 'user'@'%' IDENTIFIED BY 'it''s\\\\'" in text
    assert "DROP USER IF EXISTS 'old'@'%'" in text
    assert "DROP USER IF EXISTS 'user'" not in text
    assert "DROP DATABASE" not in text
    assert "ON `my\\_db`.* TO 'o''hara'@'%'" in text
    assert "REVOKE ALL PRIVILEGES ON `other\\_db`.* FROM 'user'@'%'" in text
    assert text.index("GRANT SELECT, CREATE TEMPORARY TABLES, SHOW VIEW, INSERT") < text.index("REVOKE CREATE, DROP")


async def test_postgresql_names_are_quoted_and_data_are_never_dropped():
    it = service("postgresql", Endpoint("a\"b", "shop-data", {"shop-data": "ro"}), schemas=("shop-data",),
                 configuration=PostgresqlConfiguration(extensions=("pg_trgm",), default_collation="C"))
    execute = Recorder()
    await family_of(it).provision(execute, it, {"a\"b": Credential("a\"b", "it's", None)})
    text = execute.stdin.decode()
    assert 'ALTER ROLE "a""b" LOGIN PASSWORD \'it\'\'s\';' in text
    assert 'GRANT "shop-data:ro" TO "a""b";' in text
    assert 'CREATE EXTENSION IF NOT EXISTS "pg_trgm";' in text
    assert "LC_COLLATE ''C''" in text
    assert "DROP" not in text


def test_a_hash_of_rabbitmq_is_salted_and_stays_the_same():
    raw = base64.b64decode(password_hash("x"))
    assert hashlib.sha256(raw[:4] + b"x").digest() == raw[4:]
    assert password_hash("x") == password_hash("x") != password_hash("y")


def test_a_kind_that_deployd_cannot_run_is_named_with_its_place():
    with pytest.raises(ServiceNotSupported) as raised:
        family_of(Service("search", "milvus", "3", "milvus:3", place=Place(".platform/services.yaml", 4, 1)))
    assert raised.value.where == ".platform/services.yaml:4:1"
    assert "rabbitmq" in raised.value.what


@pytest.mark.parametrize(("kind", "digest"), [
    ("redis", "15db89125ccdcdf0"), ("redis-persistent", "4aef90e27b08ce70"), ("valkey", "348cef4c2b100aed"),
    ("valkey-persistent", "b8387ad2c2a1fd71"),
])
def test_a_service_without_a_secret_is_not_made_anew_by_an_upgrade(kind, digest):
    """The digests are those of deployd 0.1.0."""
    it = Service("it", kind, "1", f"{kind}:1", 512)
    parts = family_of(it).parts(it, memory_mb=512)
    assert hashlib.sha256(repr(parts).encode()).hexdigest()[:16] == digest
    assert not parts.secret_files


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_secret_is_named_by_files_that_are_written(kind):
    parts = family_of(service(kind)).parts(service(kind), memory_mb=512)
    assert set(parts.secret_files) <= set(SECRET_FORMS)
    assert all(name.endswith("_FILE") for name in parts.secret_environment)
    assert not parts.secret_environment or SECRET_FILE in parts.secret_files.values()
