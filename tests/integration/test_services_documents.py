"""MySQL of Oracle's, MongoDB's protocol and ClickHouse, real: a client in an application container, over a restart."""

import json
from dataclasses import replace

from deployd.process import Output
from deployd.project.model import ClickhouseConfiguration, Endpoint
from deployd.services.families import family_of
from tests.support.service_stand import Stand, service, standing

MYSQL = service("oracle-mysql", "9.7", schemas=("main", "shop_data"), endpoints=(
    Endpoint("mysql", "main", {"main": "admin"}), Endpoint("reader", "main", {"main": "ro", "shop_data": "rw"}),
))
MONGODB = service("mongodb", "4.0", endpoints=(Endpoint("mongodb"),))
CLICKHOUSE = service("clickhouse", "18.16", schemas=("main",), endpoints=(
    Endpoint("clickhouse-http", "main", {"main": "admin"}), Endpoint("reader", "main", {"main": "ro"}),
), configuration=ClickhouseConfiguration({"reader": 8123}))
DOCUMENTS = """
$password = rawurlencode(getenv('PASSWORD'));
$it = new MongoDB\\Driver\\Manager('mongodb://' . getenv('LOGIN') . ":$password@it:27017/" . getenv('DATABASE'));
if ($argv[1] === 'put') {
    $bulk = new MongoDB\\Driver\\BulkWrite(); $bulk->insert(['a' => 7, 'b' => ['c' => [1, 2]]]);
    $it->executeBulkWrite(getenv('DATABASE') . '.t', $bulk);
}
$query = new MongoDB\\Driver\\Query(['b.c' => 2]);
foreach ($it->executeQuery(getenv('DATABASE') . '.t', $query) as $found) { echo $found->a; }
"""


async def sql(stand: Stand, endpoint: str, statement: str, *, database: str = "main", check: bool = True) -> Output:
    """By PHP, as shops do it."""
    credential = stand.credentials[endpoint]
    program = ("$it = new PDO('mysql:host=it;dbname=' . getenv('DATABASE'), getenv('LOGIN'), getenv('PASSWORD'));"
               " foreach ($it->query(stream_get_contents(STDIN)) as $row) { echo $row[0]; }")
    return await stand.app("php", "-r", program, check=check, stdin=statement.encode(), env={
        "LOGIN": str(credential.username), "PASSWORD": str(credential.password), "DATABASE": database,
    })


async def test_mysql_of_oracles_serves_php_by_levels_and_keeps_and_dumps_its_data():
    async with standing(MYSQL) as stand:
        await stand.provision()
        await stand.provision()
        await sql(stand, "mysql", "CREATE TABLE t (a INT)")
        await sql(stand, "mysql", "INSERT INTO t VALUES (7)")
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"
        assert (await sql(stand, "reader", "INSERT INTO t VALUES (8)", check=False)).status != 0
        assert (await sql(stand, "mysql", "SELECT 1", database="shop_data", check=False)).status != 0
        copying = family_of(stand.service).copying(stand.service)
        assert copying is not None
        dump = await stand.execute(copying.dump)
        await sql(stand, "mysql", "DROP TABLE t")
        await stand.execute(copying.restore, dump)
        stand.passwords["root"] = "another 'one'"   # of a copied volume
        await stand.restart()
        await stand.provision()
        assert (await sql(stand, "reader", "SELECT a FROM t")).text == "7"


async def documents(stand: Stand, what: str, *, password: str | None = None) -> Output:
    credential = stand.credentials["mongodb"]
    return await stand.app("php", "-d", "extension=mongodb", "-r", DOCUMENTS, what, check=False, env={
        "LOGIN": str(credential.username), "PASSWORD": password or str(credential.password),
        "DATABASE": str(credential.path),
    })


async def test_mongodb_keeps_documents_and_lets_nobody_in_without_the_password():
    async with standing(MONGODB) as stand:
        await stand.provision()
        await stand.provision()
        assert (await documents(stand, "put")).text == "7"
        assert (await documents(stand, "look", password="wrong")).status != 0
        stand.passwords["root"] = "another 'one'"
        await stand.restart()
        assert (await documents(stand, "look")).text == "7", "also before it is provisioned again"
        await stand.provision()
        stand.passwords["mongodb"] = "a new one"
        await stand.provision()
        assert (await documents(stand, "look")).text == "7"


async def rows(stand: Stand, endpoint: str, query: str) -> Output:
    credential = stand.credentials[endpoint]
    login = f"{credential.username}:{credential.password}"
    return await stand.app(
        "curl", "--silent", "--show-error", "--max-time", "20", "--user", login, "--data-binary", "@-",
        f"http://it:{credential.port}/?database={credential.path}", stdin=query.encode(),
    )


async def test_clickhouse_serves_each_endpoint_by_its_level_and_keeps_its_rows():
    async with standing(CLICKHOUSE) as stand:
        stand.passwords |= {"clickhouse": "first", "reader": "second"}
        await stand.provision()
        await stand.provision()
        for made in ("CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a", "INSERT INTO t VALUES (7)"):
            assert (await rows(stand, "clickhouse-http", made)).text == ""
        await stand.restart()
        assert (await rows(stand, "reader", "SELECT a FROM t")).text == "7"
        assert "readonly" in (await rows(stand, "reader", "INSERT INTO t VALUES (8)")).text
        stand.service = replace(CLICKHOUSE, endpoints=CLICKHOUSE.endpoints[:1])
        await stand.provision()
        stand.service = CLICKHOUSE
        assert "7" not in (await rows(stand, "reader", "SELECT a FROM t")).text
        assert json.loads((await rows(stand, "clickhouse-http", "SELECT count() AS n FROM t FORMAT JSON")).text)["data"]
