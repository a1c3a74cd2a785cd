"""A Varnish between the router and the application, and a Memcached behind it, over the life of an environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployd.engine.names import Names
from deployd.environment.naming import machine_name
from deployd.ids import EnvironmentId
from deployd.process import run
from tests.e2e.test_rest import carried_out
from tests.e2e.test_rollback import deployd
from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

CACHED = SERVER.replace("        self.end_headers()\n", """\
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
""").replace("    def do_GET(self):\n", """\
    def do_GET(self):
        if self.path != "/":
            return self.kept()
""").replace("    def log_message", """\
    def kept(self):
        related = json.loads(base64.b64decode(os.environ["PLATFORM_RELATIONSHIPS"]))["kept"][0]
        with socket.create_connection((related["host"], related["port"]), 10) as it:
            it.sendall(b"incr visits 1\\r\\n")
            if (said := it.recv(99)) == b"NOT_FOUND\\r\\n":
                it.sendall(b"set visits 0 0 1\\r\\n1\\r\\n")
                said = it.recv(99)
        body = f"{said.decode().strip()} {self.headers['X-Client-IP']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message""").replace("import os\n", "import base64, json, os, socket\n")
BRANCH = "nap"
"""Production is not paused."""
SERVICES = """\
front:
  type: varnish:7.7
  relationships: {shop: 'app:http'}
  configuration: {vcl: !include {type: string, path: config.vcl}}
memory: {type: 'memcached:1.6'}
files: {type: 'network-storage:1.0', disk: 256}
"""
VCL = """\
# What the project's manual has
sub vcl_recv {
    set req.backend_hint = shop.backend();
}
sub vcl_deliver { set resp.http.X-Cache = obj.hits; }
"""
FILES = {
    ".platform.app.yaml": APP + "relationships: {kept: 'memory:memcached'}\ndependencies: {}\n", "server.py": CACHED,
    ".platform/services.yaml": SERVICES, ".platform/config.vcl": VCL,
    ".platform/routes.yaml": '"http://{default}/": {type: upstream, upstream: "front:http", cache: {enabled: false}}\n',
}


@asynccontextmanager
async def visitors(me: Developer) -> AsyncIterator[list[tuple[int, str]]]:
    """Somebody asks all the time; what he got, in its order."""
    got: list[tuple[int, str]] = []

    async def ask() -> None:
        while True:
            got.append(await me.page(BRANCH))
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        yield got
        await me.page(BRANCH)
        asking.cancel()


async def test_varnish_leads_to_what_is_live_from_the_first_push_to_a_pause(developer: MakeDeveloper) -> None:
    me = await developer("cached", files={**FILES, ".platform/config.vcl": VCL.replace("set req", "sett req")})
    refused = "\n".join((await me.push(BRANCH)).lines)
    assert "front (varnish:7.7) does not take its configuration: Symbol not found: 'sett'" in refused
    assert ".platform/config.vcl:3" in refused
    assert "▸ build" not in refused
    await me.write({".platform/config.vcl": VCL})
    pushed = await me.push(BRANCH)
    assert pushed.deployed, pushed.lines
    assert [await me.page(BRANCH), await me.page(BRANCH)] == [(200, "first on nap")] * 2
    assert (await me.page(BRANCH, path="/kept"))[1] == "STORED 127.0.0.1", "the visitor's address comes through"

    await me.write({"text": "second"})
    async with visitors(me) as got:
        assert (await me.push(BRANCH)).deployed
    assert {status for status, _ in got} == {200}
    texts = [text for _, text in got]
    assert texts == sorted(texts), "nobody sees the earlier version after the new one"
    assert await me.page(BRANCH) == (200, "second on nap")
    assert (await me.page(BRANCH, path="/kept"))[1].startswith("2 "), "the Memcached went on"

    await me.write({"text": "third", ".platform.app.yaml": FILES[".platform.app.yaml"] + "hooks: {deploy: exit 7}\n"})
    assert not (await me.push(BRANCH)).deployed
    assert await me.page(BRANCH) == (200, "second on nap"), "what failed left Varnish as it was"
    assert (await deployd(me, "rollback", me.project, BRANCH, "--no-lock")).status == 0
    assert await me.page(BRANCH) == (200, "first on nap")

    names = Names(me.daemon.instance, EnvironmentId.read(f"{me.project}/{machine_name(BRANCH)}"))
    for name in ("front", "memory"):
        await run("docker", "restart", "--time=10", names.service(name))
    await until_answered(me, "first on nap")
    assert (await me.page(BRANCH, path="/kept"))[1].startswith("STORED"), "a Memcached that starts is empty"
    assert (await carried_out(me, BRANCH, "pause"))["state"] == "success"
    assert await me.page(BRANCH) == (200, "first on nap")


async def until_answered(me: Developer, text: str) -> None:
    async with asyncio.timeout(60):
        while await me.page(BRANCH) != (200, text):
            await asyncio.sleep(0.2)
