"""MongoDB, InfluxDB and ClickHouse: what they are told, and what of them an application finds."""

import hashlib
import json
import subprocess
import xml.etree.ElementTree as xml
from dataclasses import replace

from deployd.environment.relationships import Address, Credential, Related
from deployd.project.model import Endpoint, Service
from deployd.project.reader import read_project
from deployd.services.families import endpoint_port, family_of
from deployd.services.influxdb import QUERIES
from tests.doubles.trees import DictTree

APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"


class Told:
    """A server that answers nothing but what it is asked for."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.said: list[tuple[tuple[str, ...], str]] = []

    async def __call__(self, argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        self.said.append((argv, (stdin or b"").decode()))
        return self.answer


def read(text: str) -> tuple[Service | None, list[str]]:
    result = read_project(DictTree({".platform.app.yaml": APP, ".platform/services.yaml": f"it: {text}"}))
    found = result.config.services[0] if result.config else None
    return found, [finding.what for finding in result.findings if finding.place.file.endswith("services.yaml")]


def secret(name: str) -> str:
    return f"secret-of-{name}"


async def test_a_user_of_mongodb_is_made_and_then_given_the_password_of_now():
    it, told = Service("it", "mongodb", "4.0", "mongodb:4.0", 512, endpoints=(Endpoint("mongodb"),)), Told()
    await family_of(it).provision(told, it, family_of(it).credentials(it, secret))
    made, changed = json.loads(told.said[0][1])
    assert (made["db"], made["command"]["createUser"], made["may_fail"]) == ("main", "main", [51003])
    assert changed["command"] == {
        "updateUser": "main", "pwd": "secret-of-mongodb", "roles": [{"role": "dbOwner", "db": "main"}],
    }
    assert "may_fail" not in changed


async def test_influxdb_gets_its_administrator_once_and_then_only_his_password():
    it = Service("it", "influxdb", "1.8", "influxdb:1.8", 512, endpoints=(Endpoint("influxdb"),))
    made = "CREATE USER \"admin\" WITH PASSWORD 'it\\'s' WITH ALL PRIVILEGES\n"
    for there, said in ((b"user,admin\ndeployd,true\n", made),
                        (b"user,admin\nadmin,true\n", "SET PASSWORD FOR \"admin\" = 'it\\'s'\n")):
        told = Told(there)
        await family_of(it).provision(told, it, {"influxdb": Credential("admin", "it's")})
        assert told.said[-1] == (QUERIES, said)


async def test_clickhouse_writes_whole_users_whatever_their_databases_are_called():
    it, wrong = read("{type: 'clickhouse:26.3', disk: 512, configuration: {databases: [main, legacy], endpoints: {"
                     "admin: {privileges: {main: admin, legacy: admin}}, "
                     "reporter: {default_database: main, port: 8123, privileges: {main: ro}}}}}")
    assert it is not None, wrong
    told = Told(b"<max_memory_usage>123</max_memory_usage>")
    await family_of(it).provision(told, it, family_of(it).credentials(it, secret))
    [file] = [text for argv, text in told.said if "cat >" in argv[-1]]
    users = xml.fromstring(file).find("users")
    assert users is not None
    assert [user.tag for user in users] == ["default", "admin", "reporter"]
    assert [users.findtext(f"{name}/profile") for name in ("admin", "reporter")] == ["admin", "ro"]
    assert [found.text for found in users.findall("admin/allow_databases/database")] == ["main", "legacy"]
    assert "secret-of" not in file
    assert "<max_memory_usage>123<" in file, "what its memory allows stays"
    assert told.said[-1][1] == (
        "CREATE DATABASE IF NOT EXISTS `main`;\nCREATE DATABASE IF NOT EXISTS `legacy`;\nSYSTEM RELOAD CONFIG")


async def test_an_endpoint_of_clickhouse_without_privileges_comes_into_no_database():
    it, wrong = read("{type: 'clickhouse:26.3', disk: 512, configuration: {endpoints: {nobody: {}}}}")
    assert it is not None, wrong
    told = Told(b"<max_memory_usage>123</max_memory_usage>")
    await family_of(it).provision(told, it, family_of(it).credentials(it, secret))
    [file] = [text for argv, text in told.said if "cat >" in argv[-1]]
    [database] = xml.fromstring(file).findall("users/nobody/allow_databases/database")
    assert database.text == "-", "an empty list opens all of them"


async def test_the_administrator_of_clickhouse_has_a_password_that_no_query_knows_and_a_deployment_keeps(tmp_path):
    it, _ = read("{type: 'clickhouse:26.3', disk: 512}")
    assert it is not None
    shell, dash_c, script, *words = family_of(it).parts(it, memory_mb=1024).command or ()
    places = {"/var/lib/clickhouse": str(tmp_path), "/run/": f"{tmp_path}/", "/entrypoint.sh": "echo"}
    for path, here in places.items():
        script = script.replace(path, here)
    files, passwords = [], []
    for _ in range(2):
        started = subprocess.run([shell, dash_c, script, *words], check=True, capture_output=True, text=True).stdout
        files.append((tmp_path / "deployd-users.xml").read_text())
        passwords.append((tmp_path / "deployd-administrator").read_text())
        said = hashlib.sha256(passwords[-1].encode()).hexdigest()
        assert xml.fromstring(files[-1]).findtext("users/default/password_sha256_hex") == said
    assert started.startswith("-- --users_config=/var/lib/clickhouse/deployd-users.xml --listen_host=0.0.0.0 ")
    assert passwords[0] != passwords[1]
    assert (tmp_path / "deployd-administrator").stat().st_mode & 0o077 == 0
    told = Told(files[-1].encode())
    await family_of(it).provision(told, it, family_of(it).credentials(it, secret))
    [written] = [text for argv, text in told.said if "cat >" in argv[-1]]
    assert xml.fromstring(written).findtext("users/default/password_sha256_hex") == said
    assert passwords[-1] not in repr(told.said)


def test_clickhouse_has_two_ways_in_for_one_user_and_ports_that_endpoints_name():
    it, _ = read("{type: 'clickhouse:26.3', disk: 512}")
    assert it is not None
    native, http = family_of(it).credentials(it, secret).values()
    assert replace(native, port=8123) == http
    assert (native.username, native.path) == ("main", "main")
    assert [endpoint_port(it, name) for name in ("clickhouse", "clickhouse-http")] == [9000, 8123]
    connection, address = family_of(it).connection, Address("h", "1.2.3.4", "c")
    related = Related("ch", "it", "clickhouse-http", it.type, connection, address, http)
    assert related.as_json()["port"] == 8123


def test_what_is_wrong_with_a_clickhouse_is_said():
    for endpoint, said in (("{port: 9001}", "does not listen on port 9001"),
                           ("{privileges: {main: ro, other: admin}}", "a user of ClickHouse has one level"),
                           ("{privileges: {mian: ro}}", "there is no database `mian`")):
        _, wrong = read("{type: 'clickhouse:26.3', disk: 512, configuration: {databases: [main, other], "
                        f"endpoints: {{x: {endpoint}}}}}}}")
        assert any(said in line for line in wrong), (endpoint, wrong)
    for name in ("1st", "default", "main", "a$"):
        _, wrong = read(f"{{type: 'clickhouse:26.3', disk: 512, configuration: {{endpoints: {{{name}: {{}}}}}}}}")
        assert any("cannot be the name of a user" in line for line in wrong), name


def test_settings_of_mariadb_are_named_where_mysql_is_oracles():
    it, said = read("{type: 'oracle-mysql:8.4', disk: 512, configuration: {properties: {wsrep_sync_wait: 1}}}")
    assert it is not None
    assert "`wsrep_sync_wait` has no effect: it is a setting of MariaDB" in said


def test_an_extension_that_postgresql_does_not_have_is_named():
    it, said = read("{type: 'postgresql:17', disk: 512, configuration: {extensions: [pg_trgn, pg_stat_statements]}}")
    assert it is not None
    assert "`pg_trgn` is no extension of PostgreSQL on the hosted platforms" in said
    assert "shared_preload_libraries=pg_stat_statements" in (family_of(it).parts(it, memory_mb=512).command or ())
    _, said = read("{type: 'postgresql:17', disk: 512, configuration: {extensions: ['a; b']}}")
    assert "`a; b` cannot be the name of an extension" in said
