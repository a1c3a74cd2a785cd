"""MariaDB, real: provisioning twice, the levels of privileges, the data after a restart, dump and restore."""

from dataclasses import replace

import pytest

from deployd.process import Output
from deployd.project.model import Endpoint, MysqlConfiguration, MysqlProperties
from deployd.services.families import family_of
from tests.support.service_stand import Stand, service, standing

WANTED = service("mariadb", "11.8", schemas=("main", "shop_data"), endpoints=(
    Endpoint("mysql", "main", {"main": "admin", "shop_data": "admin"}),
    Endpoint("reader", "main", {"main": "ro"}),
    Endpoint("writer", None, {"main": "rw"}),
), configuration=MysqlConfiguration(
    MysqlProperties(max_allowed_packet_mb=64, default_collation="utf8mb4_general_ci"),
))


async def sql(stand: Stand, endpoint: str, statement: str, *, database: str = "main", check: bool = True) -> Output:
    credential = stand.credentials[endpoint]
    return await stand.app(
        "mariadb", "--host=it", f"--user={credential.username}", "--skip-ssl", "--batch", "--skip-column-names",
        f"--database={database}", env={"MYSQL_PWD": str(credential.password)}, stdin=statement.encode(), check=check,
    )


@pytest.mark.parametrize("version", ["11.8", "10.11"])
async def test_each_endpoint_may_do_what_its_level_says(version):
    async with standing(replace(WANTED, version=version)) as stand:
        await stand.provision()
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a INT)")
        await sql(stand, "mysql", "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1")
        await sql(stand, "writer", "INSERT INTO t VALUES (7)")
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"
        for endpoint, statement in (("reader", "INSERT INTO t VALUES (8)"), ("writer", "DROP TABLE t"),
                                    ("writer", "CREATE TABLE u (a INT)")):
            assert b"denied" in (await sql(stand, endpoint, statement, check=False)).stderr
        # `_` of a schema's name is no wildcard, and a schema that is not named is closed.
        assert (await sql(stand, "mysql", "SELECT 1", database="shop_data")).text == "1"
        assert b"denied" in (await sql(stand, "reader", "SELECT 1", database="shop_data", check=False)).stderr
        assert (await sql(stand, "mysql", "SELECT @@max_allowed_packet, @@collation_server")).text == (
            "67108864\tutf8mb4_general_ci")


async def test_a_changed_set_of_endpoints_takes_and_gives_and_keeps_the_data():
    async with standing(WANTED) as stand:
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7)")
        before = stand.credentials["reader"]
        stand.service = replace(WANTED, schemas=("main",), endpoints=(
            Endpoint("mysql", "main", {"main": "ro"}), Endpoint("writer", "main", {"main": "admin"}),
        ))
        await stand.provision()
        assert b"denied" in (await sql(stand, "mysql", "INSERT INTO t VALUES (8)", check=False)).stderr
        assert b"denied" in (await sql(stand, "mysql", "SELECT 1", database="shop_data", check=False)).stderr
        await sql(stand, "writer", "ALTER TABLE t ADD b INT")
        replica = Endpoint("replica", None, {"main": "replication"})
        stand.service = replace(WANTED, endpoints=(*WANTED.endpoints, replica))
        assert before == stand.credentials["reader"]
        await stand.provision()
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"
        assert "REPLICATION SLAVE" in (await sql(stand, "replica", "SHOW GRANTS")).text


async def test_a_restart_keeps_the_data_and_takes_the_new_password_of_root():
    async with standing(WANTED) as stand:
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7)")
        stand.passwords["root"] = "another 'one'"
        await stand.restart()
        await stand.provision()
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"


async def test_a_dump_can_be_read_back():
    async with standing(WANTED) as stand:
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a BLOB); INSERT INTO t VALUES (x'00ff27')")
        copying = family_of(stand.service).copying(stand.service)
        dump = await stand.execute(copying.dump)
        await sql(stand, "mysql", "DROP TABLE t")
        await stand.execute(copying.restore, dump)
        assert (await sql(stand, "reader", "SELECT HEX(a) FROM t")).text == "00FF27"


async def test_a_container_of_an_earlier_deployd_goes_on_and_its_data_with_the_next_one():
    """Its password stands in a variable."""
    async with standing(WANTED, as_before=True) as stand:
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7)")
        stand.as_before = False
        await stand.restart()
        await stand.provision()
        assert (await sql(stand, "mysql", "SELECT a FROM t")).text == "7"
