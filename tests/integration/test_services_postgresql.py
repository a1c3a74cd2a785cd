"""PostgreSQL, real: provisioning twice, the levels of privileges, the data after a restart, dump and restore."""

from dataclasses import replace

import pytest

from deployd.process import Output
from deployd.project.model import Endpoint, PostgresqlConfiguration
from deployd.services.families import family_of
from tests.support.service_stand import Stand, service, standing

WANTED = service("postgresql", "17", schemas=("main", "shop-data"), endpoints=(
    Endpoint("postgresql", "main", {"main": "admin"}),
    Endpoint("second", "main", {"main": "admin"}),
    Endpoint("reader", "main", {"main": "ro"}),
    Endpoint("writer", "main", {"main": "rw", "shop-data": "ro"}),
), configuration=PostgresqlConfiguration(extensions=("pg_trgm",)))


async def sql(stand: Stand, endpoint: str, statement: str, *, database: str = "main", check: bool = True) -> Output:
    credential = stand.credentials[endpoint]
    return await stand.app(
        "psql", "--host=it", f"--username={credential.username}", f"--dbname={database}", "--quiet", "--tuples-only",
        "--no-align", "--set=ON_ERROR_STOP=1", env={"PGPASSWORD": str(credential.password)}, stdin=statement.encode(),
        check=check,
    )


@pytest.mark.parametrize("version", ["17", "15"])
async def test_each_endpoint_may_do_what_its_level_says(version):
    async with standing(replace(WANTED, version=version)) as stand:
        await stand.provision()
        await stand.provision()
        await sql(stand, "postgresql", "CREATE TABLE t (id serial, a int)")
        await sql(stand, "postgresql", "CREATE INDEX ON t USING gin ((a::text) gin_trgm_ops)")
        await sql(stand, "second", "ALTER TABLE t ADD b int")
        await sql(stand, "writer", "INSERT INTO t (a) VALUES (7)")
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"
        for endpoint, statement in (("reader", "INSERT INTO t (a) VALUES (8)"), ("writer", "DROP TABLE t"),
                                    ("writer", "CREATE TABLE u (a int)")):
            refused = await sql(stand, endpoint, statement, check=False)
            assert b"permission denied" in refused.stderr or b"must be owner" in refused.stderr
        assert (await sql(stand, "writer", "SELECT 1", database="shop-data")).text == "1"
        assert b"permission denied" in (await sql(stand, "reader", "", database="shop-data", check=False)).stderr


async def test_a_changed_set_of_endpoints_takes_and_gives_and_keeps_the_data():
    async with standing(WANTED) as stand:
        await stand.provision()
        await sql(stand, "second", "CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
        gone = stand.credentials["second"]
        stand.service = replace(WANTED, endpoints=(
            Endpoint("postgresql", "main", {"main": "ro"}), Endpoint("writer", "main", {"main": "admin"}),
        ))
        await stand.provision()
        assert b"permission denied" in (await sql(stand, "postgresql", "INSERT INTO t VALUES (8)", check=False)).stderr
        assert b"permission denied" in (await sql(stand, "writer", "", database="shop-data", check=False)).stderr
        await sql(stand, "writer", "ALTER TABLE t ADD b int")
        refused = await stand.app("psql", "--host=it", "--username=second", "--dbname=main", check=False,
                                  env={"PGPASSWORD": str(gone.password)})
        assert b"not permitted to log in" in refused.stderr
        stand.service = WANTED
        await stand.provision()
        assert (await sql(stand, "second", "SELECT a FROM t")).text == "7"


async def test_a_restart_keeps_the_data():
    async with standing(WANTED) as stand:
        await stand.provision()
        await sql(stand, "postgresql", "CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
        await stand.restart()
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"


async def test_a_dump_can_be_read_back():
    async with standing(WANTED) as stand:
        await stand.provision()
        await sql(stand, "postgresql", "CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
        copying = family_of(stand.service).copying(stand.service)
        dump = await stand.execute(copying.dump)
        await sql(stand, "postgresql", "DROP TABLE t")
        await stand.execute(copying.restore, dump)
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"


async def test_a_container_of_an_earlier_deployd_goes_on_and_its_data_with_the_next_one():
    """Its password stands in a variable."""
    async with standing(WANTED, as_before=True) as stand:
        await stand.provision()
        await sql(stand, "postgresql", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7)")
        stand.as_before = False
        await stand.restart()
        await stand.provision()
        assert (await sql(stand, "postgresql", "SELECT a FROM t")).text == "7"
