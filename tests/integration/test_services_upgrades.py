"""Services whose version changes, real: a newer one on the data of an older one, as a redeployment does it."""

from dataclasses import replace

from tests.integration.test_services_mariadb import WANTED as MARIADB
from tests.integration.test_services_mariadb import sql
from tests.integration.test_services_memory import redis
from tests.support.service_stand import Stand, standing


async def become(stand: Stand, version: str) -> None:
    stand.service = replace(stand.service, version=version)
    await stand.restart()
    await stand.provision()


async def test_a_newer_mariadb_takes_the_data_and_brings_its_own_tables_up_to_date():
    async with standing(replace(MARIADB, version="10.11")) as stand:
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7)")
        await become(stand, "11.8")
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"
        checked = await stand.execute(("sh", "-c", 'MYSQL_PWD="$(cat "$MARIADB_ROOT_PASSWORD_FILE")" mariadb-upgrade '
                                       "--user=root --check-if-upgrade-is-needed --silent; echo $?"))
        assert checked.strip() == b"1", "nothing is left to be upgraded"


async def test_a_newer_redis_takes_the_data():
    async with standing(redis("redis-persistent", "7.0")) as stand:
        await stand.app("redis-cli", "-h", "it", "SET", "a", "7")
        await become(stand, "8.0")
        assert (await stand.app("redis-cli", "-h", "it", "GET", "a")).text == "7"
