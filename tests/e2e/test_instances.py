"""Two applications, one of them in several instances: balance, an instance that fails, and one after the other."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import aiohttp
import pytest
from yarl import URL

from deployd.environment.naming import machine_name
from deployd.process import run
from tests.support.developer import Developer, MakeDeveloper

pytestmark = pytest.mark.slow

SERVER = '''\
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError
from urllib.request import urlopen


def attempt(host, port):
    try:
        socket.create_connection((host, int(port)), 3).close()
    except OSError as error:
        return type(error).__name__
    return "open"


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/back":
            body = urlopen("http://api.internal/", timeout=5).read().decode()
        elif path == "/attempt":
            body = attempt(*query.split(":"))
        elif path == "/hooks":
            body = open("/app/shared/hooks").read()
        else:
            body = socket.gethostname()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


class Server(ThreadingHTTPServer):
    request_queue_size = 100


Server(("", int(os.environ["PORT"])), Page).serve_forever()
'''
BACK = """\
name: back
type: python:3.13
mounts: {shared: {source: local}}
disk: 128
hooks: {deploy: "echo $PLATFORM_APPLICATION_NAME >> shared/hooks"}
web: {commands: {start: python3 server.py}}
"""
FRONT = """\
name: front
type: python:3.13
relationships: {api: "back:http"}
firewall: {outbound: [{ips: [192.0.2.7], ports: [443]}]}
web: {commands: {start: python3 server.py}}
"""
ROUTES = """\
https://{default}/: {type: upstream, upstream: "front:http"}
https://back.{default}/: {type: upstream, upstream: "back:http", cache: {enabled: false}}
https://own.{default}/: {type: upstream, upstream: "back:http", sticky: true, cache: {enabled: false}}
"""


async def many(me: Developer, subdomain: str, path: str = "/", count: int = 24) -> Counter[tuple[int, str]]:
    """What so many visitors get, one after the other, each with a connection of its own."""
    found: Counter[tuple[int, str]] = Counter()
    url = URL(me.daemon.url(me.project, "main", path))
    host = f"{subdomain}.{url.authority}" if subdomain else url.authority
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        for _ in range(count):
            async with session.get(url.with_host("127.0.0.1"), headers={"Host": host}) as answer:
                found[answer.status, await answer.text()] += 1
    return found


async def pause(me: Developer) -> None:
    path = f"/api/v1/projects/{me.project}/environments/{machine_name('main')}/pause"
    async with me.daemon.session() as session, asyncio.timeout(60):
        async with session.post(path, json={}) as answer:
            number = (await answer.json())["id"]
        state = ""
        while state != "success":
            async with session.get(f"/api/v1/activities/{number}") as answer:
                state = (await answer.json())["state"]
            assert state != "failed"
            await asyncio.sleep(0.1)


async def all_containers(me: Developer, part: str) -> list[str]:
    """Of a part, whether they run or not."""
    listed = await run(
        "docker", "ps", "--all", "--quiet", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", f"label=deployd.part={part}",
    )
    return listed.text.split()


async def containers(me: Developer, role: str) -> dict[str, str]:
    """{part: container} of those that run."""
    listed = await run(
        "docker", "ps", "--no-trunc", "--format", "{{json .}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", f"label=deployd.role={role}",
    )
    rows = [json.loads(line) for line in listed.text.splitlines()]
    labels = [dict(item.partition("=")[::2] for item in row["Labels"].split(",")) for row in rows]
    return {of["deployd.part"]: row["ID"] for of, row in zip(labels, rows, strict=True)}


async def test_several_instances_serve_one_fails_and_the_others_go_on(developer: MakeDeveloper) -> None:
    me = await developer("walled")
    await run("git", "rm", "--quiet", ".platform.app.yaml", cwd=me.folder)
    await me.write({
        "back/.platform.app.yaml": BACK, "back/server.py": SERVER, "front/.platform.app.yaml": FRONT,
        "front/server.py": SERVER, ".platform/routes.yaml": ROUTES, ".deployd.yaml": "instances: {back: 3}\n",
    })
    pushed = await me.push()
    told = "\n".join(pushed.lines)
    assert pushed.deployed, told
    assert "3 instances" in told
    assert "front may connect to 192.0.2.7 (port 443); nothing else outside the environment" in told

    served = await many(me, "back")
    assert {status for status, _ in served} == {200}
    assert len(served) == 3
    assert min(served.values()) >= 4, "in turns, of each worker of nginx"
    assert len(await many(me, "own")) == 1, "a client keeps its instance"
    asked = await many(me, "", "/back")
    assert {name for _, name in asked} == {name for _, name in served}, "and so does a relationship reach all of them"
    assert set(await many(me, "back", "/hooks")) == {(200, "back\n")}, "the hook ran once, and all see its file"
    # Not reset, as what a rule refuses: nobody is there at all.
    assert set(await many(me, "", "/attempt?198.51.100.7:443", 2)) == {(200, "ConnectionRefusedError")}

    running = await containers(me, "app")
    assert set(running) == {"front", "back", "back.2", "back.3"}
    await run("docker", "rm", "--force", running["back.2"])
    after = await many(me, "back", count=60)
    assert {status for status, _ in after} == {200}, "who comes meanwhile is served by the others"
    async with asyncio.timeout(60):
        while len(await many(me, "back", count=6)) < 3:
            await asyncio.sleep(0.2)
    assert set(await containers(me, "app")) == set(running)

    await pause(me)
    gone = [*await all_containers(me, "back.2"), *(await all_containers(me, "back.3"))[:1]]
    await run("docker", "rm", "--force", *gone)
    woken = await many(me, "back")
    assert {status for status, _ in woken} == {200}
    assert len(woken) == 3, "they wake together, and what somebody removed is made again"

    await me.write({".deployd.yaml": "instances: {back: 1}\n"})
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(me.push())
        asked = Counter[tuple[int, str]]()
        while not pushing.done():
            asked += await many(me, "", "/back", count=5)
    pushed = pushing.result()
    assert {status for status, _ in asked} == {200}, "one application asks another while both are replaced"
    told = "\n".join(pushed.lines)
    assert pushed.deployed, told
    assert "1 instance, 3 before" in told
    assert "back: reuse (unchanged)" in told
    assert "deploy hook: not run" in told
    assert len(await many(me, "back")) == 1
    assert set(await containers(me, "app")) == {"front", "back"}
