"""Services that are made anew under visitors: they are replaced while those are held, and no request is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from deployd.activity.journal import AGAIN_AT
from deployd.deployment.results import Frozen, Planned, Replaced
from deployd.deployment.steps import PUSH
from deployd.environment.naming import machine_name
from deployd.errors import DeployError, Transient
from deployd.ids import EnvironmentId
from tests.support.deployment_stand import PROJECT, Stand, deployment_stand, raising, undone_twice, with_step

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

APPS = """\
- name: shop
  type: php:8.4
  source: {root: shop}
  runtime: {extensions: [pdo_pgsql, redis]}
  relationships: {maria: "maria:mysql", post: "post:postgresql", cache: "cache:redis"}
  web: {locations: {"/": {root: "", passthru: /index.php}}}
- name: keeper
  type: python:3.13
  source: {root: keeper}
  relationships: {cache: "cache:redis"}
  web: {commands: {start: python3 server.py}}
- name: front
  type: python:3.13
  source: {root: front}
  relationships: {keeper: "keeper:http"}
  web: {commands: {start: python3 server.py}}
"""
SERVICES = """\
maria: {type: "mariadb:10.11", disk: 256}
post: {type: "postgresql:17", disk: 256}
cache: {type: "redis-persistent:8.0", disk: 256}
"""
ROUTES = """\
"http://{default}/": {type: upstream, upstream: "shop:http", cache: {enabled: false}}
"http://{default}/kept": {type: upstream, upstream: "front:http", cache: {enabled: false}}
"""
SHOP = """<?php
$all = json_decode(base64_decode(getenv('PLATFORM_RELATIONSHIPS')), true);
foreach (['maria' => 'mysql', 'post' => 'pgsql'] as $name => $driver) {
    $at = $all[$name][0];
    $dsn = "$driver:host={$at['host']};port={$at['port']};dbname={$at['path']}";
    $db = new PDO($dsn, $at['username'], $at['password'], [PDO::ATTR_TIMEOUT => 5]);
    $db->exec('CREATE TABLE IF NOT EXISTS seen (n INT)');
    if (isset($_GET['slow'])) $db->query($driver === 'mysql' ? 'SELECT SLEEP(1.5)' : 'SELECT pg_sleep(0.5)');
    $db->exec('INSERT INTO seen VALUES (1)');
    $counts[] = $db->query('SELECT count(*) > 0 FROM seen')->fetchColumn() ? 'yes' : 'no';
}
$redis = new Redis();
$redis->connect($all['cache'][0]['host'], $all['cache'][0]['port'], 5);
$redis->incr('seen');
echo implode(' ', $counts), ' ', trim(file_get_contents('text'));
"""
KEEPER = '''\
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

kept = socket.create_connection(("cache.internal", 6379), 5)   # as a pool does: opened once, and never again
turn = threading.Lock()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            with turn:
                kept.sendall(b"PING\\r\\n")
                body = kept.recv(100)
        except OSError as error:
            body = repr(error).encode()
        self.send_response(200 if body.startswith(b"+PONG") else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
'''
FRONT = KEEPER
for of_keeper, of_front in (
    ('kept = socket.create_connection(("cache.internal", 6379), 5)', "from urllib.request import urlopen"),
    ('kept.sendall(b"PING\\r\\n")', 'answer = urlopen("http://keeper.internal/", timeout=60)'),
    ("kept.recv(100)", "answer.read()"), ("with turn", "if turn"),
):
    assert of_keeper in FRONT
    FRONT = FRONT.replace(of_keeper, of_front)
FILES = {
    ".platform/applications.yaml": APPS, ".platform/services.yaml": SERVICES, ".platform/routes.yaml": ROUTES,
    "shop/index.php": SHOP, "shop/text": "first", "keeper/server.py": KEEPER, "front/server.py": FRONT,
}
SERVICE_NAMES = ("maria", "post", "cache")
LARGER = SERVICES.replace("disk: 256", "disk: 256, size: L")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with deployment_stand(tmp_path_factory.mktemp("replace")) as found:
        ended = await found.deploy(await found.write(FILES))
        assert ended.end.state == "success", found.told(ended)
        yield found


@asynccontextmanager
async def visited(stand: Stand) -> AsyncIterator[Counter[tuple[str, int, str]]]:
    """Visitors who never pause, and what they got: {(path, status, text): how often}."""
    seen: Counter[tuple[str, int, str]] = Counter()
    enough = asyncio.Event()

    async def visit(path: str) -> None:
        url = URL(stand.daemon.url(PROJECT, "main", path))
        async with aiohttp.ClientSession() as session:
            while not enough.is_set():
                async with session.get(url.with_host("127.0.0.1"), headers={"Host": url.authority}) as answer:
                    seen[path.partition("?")[0], answer.status, await answer.text()] += 1

    async with asyncio.TaskGroup() as group:
        for path in ("/", "/", "/?slow=1", "/kept", "/kept"):
            group.create_task(visit(path))
        await asyncio.sleep(0.5)
        yield seen
        await asyncio.sleep(1)
        enough.set()


def container(stand: Stand, service: str) -> str:
    return f"{stand.daemon.instance}-{PROJECT}-{machine_name('main')}-{service}"


async def containers_of(stand: Stand) -> dict[str, str]:
    """{service: id of its container, if that runs}"""
    found = {name: await stand.host.engine.container(container(stand, name)) for name in SERVICE_NAMES}
    return {name: seen.id for name, seen in found.items() if seen is not None and seen.running}


async def test_a_larger_size_costs_nobody_a_request(stand: Stand) -> None:
    before = await containers_of(stand)
    async with visited(stand) as seen:
        ended = await stand.deploy(await stand.write({".platform/services.yaml": LARGER, "shop/text": "larger"}))
    assert ended.end.state == "success", stand.told(ended)
    assert set(seen) == {
        ("/", 200, "yes yes first"), ("/", 200, "yes yes larger"), ("/kept", 200, "+PONG\r\n"),
    }, seen
    assert ended.journal.result("freeze", Frozen).held, "though there is no deploy hook"
    replaced = ended.journal.result("replace_services", Replaced)
    assert (set(replaced.seconds), replaced.apps) == (set(SERVICE_NAMES), ("shop", "keeper", "front"))
    assert not set((await containers_of(stand)).values()) & set(before.values())
    assert [name for name in (await stand.world())["containers"] if ".." in name] == []
    planned = ended.journal.result("read_and_plan", Planned)
    assert planned.plan.held_why == "held while maria, post, cache are replaced, for some 4 s"
    live = await stand.host.facts.live(EnvironmentId(PROJECT, machine_name("main")))
    assert live is not None
    assert {item.name: item.ready_seconds for item in live.services} == dict(replaced.seconds)


class Interrupting:
    """An Engine beside which a daemon dies again and again: after each kind of call that it is told, once."""

    def __init__(self, engine: Any, *calls: str) -> None:
        self._engine = engine
        self.left = list(calls)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._engine, name)
        if not self.left or name != self.left[0]:
            return call

        async def dying(*arguments: Any, **more: Any) -> Any:
            result = await call(*arguments, **more)
            if self.left and name == self.left[0]:
                del self.left[0]
                raise Transient(DeployError(f"died after {name}"), 0.01)
            return result
        return dying


async def test_what_was_replaced_comes_back_when_the_deployment_fails_and_costs_nobody_a_request(stand: Stand) -> None:
    """Another user for the application, too: the one of the version before is there no more, and comes back. And as if
    the daemon died in the midst of it."""
    services = LARGER.replace("size: L", "size: M").replace(
        "disk: 256", "disk: 256, configuration: {schemas: [main], endpoints: {other: {privileges: {main: admin}}}}", 1,
    )
    changed = {
        ".platform/services.yaml": services, "shop/text": "never",
        ".platform/applications.yaml": APPS.replace("maria:mysql", "maria:other"),
    }
    before, world = await containers_of(stand), await stand.world()
    table = with_step(PUSH, "wait_until_healthy", raising(DeployError("injected"), late=True))
    table = replace(table, steps=tuple(
        undone_twice(step) if step.name in ("replace_services", "start_services") else step for step in table.steps
    ))
    host, engine = stand.host, Interrupting(stand.host.engine, "stop", "ensure_renamed", "ensure_renamed", "start")
    stand.host = replace(host, engine=engine)   # type: ignore[arg-type]
    try:
        async with visited(stand) as seen:
            ended = await stand.deploy(await stand.write(changed), table)
    finally:
        stand.host = host
    assert (ended.end.state, ended.end.reason, engine.left) == ("failed", "injected", []), stand.told(ended)
    assert ended.journal.count("replace_services", AGAIN_AT) >= 2
    assert ended.journal.result("replace_services", Replaced).apps == ("shop", "keeper", "front")
    assert set(seen) == {("/", 200, "yes yes larger"), ("/kept", 200, "+PONG\r\n")}, seen
    assert await containers_of(stand) == before, "the very containers that were put aside"
    assert await stand.world() == world


async def test_a_version_that_has_upgraded_its_files_is_undone_with_the_snapshot(stand: Stand) -> None:
    await stand.write({".platform/services.yaml": LARGER.replace("mariadb:10.11", "mariadb:11.8"),
                       ".platform/applications.yaml": APPS})
    host, settings = stand.host, stand.host.settings.model_copy(update={"snapshot_before_deploy": True})
    before, world, rows = await containers_of(stand), await stand.world(), await count_of(stand)
    stand.host = replace(host, settings=settings)
    table = with_step(PUSH, "replace_services", raising(DeployError("injected"), late=True))
    try:
        ended = await stand.deploy(await stand.write({"shop/text": "never"}), table)
    finally:
        stand.host = host
    assert (ended.end.state, ended.end.reason) == ("failed", "injected"), stand.told(ended)
    assert "as before the deploy hook again" in stand.told(ended)
    assert (await containers_of(stand), await count_of(stand)) == (before, rows)
    assert await stand.world() == world
    assert await stand.page() == (200, "yes yes larger")


async def count_of(stand: Stand) -> bytes:
    """Version of the server, and rows of its table."""
    asking = 'mariadb -u root -N -e "SELECT VERSION(), COUNT(*) FROM main.seen"'
    argv = ("sh", "-c", f'MYSQL_PWD="$(cat "$MARIADB_ROOT_PASSWORD_FILE")" {asking}')
    return (await stand.host.engine.execute(container(stand, "maria"), argv)).stdout
