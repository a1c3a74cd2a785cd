"""Services that speak HTTP or hold a cache, real: from an application container, before and after a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from deployd.process import Output, run
from deployd.project.model import (
    Endpoint,
    MercureConfiguration,
    Place,
    Relationship,
    Service,
    VarnishConfiguration,
)
from deployd.services.families import FRONTS
from deployd.services.front import TEXT_FILE, Backend
from tests.support.service_stand import LABEL, Stand, image_of, service, standing

PYTHON = ("python", "3.13")
MEMCACHED = """
import socket, sys
with socket.create_connection(("it", 11211), 10) as it:
    file = it.makefile("rwb")
    for line in sys.stdin:
        file.write(line.strip().encode().decode("unicode_escape").encode() + b"\\r\\n"); file.flush()
        print(file.readline().decode().strip())
"""


@dataclass
class Application:
    """A container of an application beside a service."""

    name: str

    async def run(self, *argv: str, stdin: bytes = b"", check: bool = True) -> Output:
        return await run("docker", "exec", "-i", self.name, *argv, stdin=stdin, check=check)

    async def get(self, path: str, *more: str) -> str:
        return (await self.run("curl", "--silent", "--max-time", "30", *more, f"http://it{path}")).text


@asynccontextmanager
async def application(stand: Stand, name: str = "app", *argv: str) -> AsyncIterator[Application]:
    name = f"{stand.name}-{name}"
    await run("docker", "run", "--detach", "--name", name, "--label", LABEL, "--network", stand.name, "--user", "0",
              await image_of(*PYTHON), *(argv or ("sleep", "1000")))
    try:
        yield Application(name)
    finally:
        await run("docker", "rm", "--force", "--volumes", name, check=False)


async def memcached(app: Application, *lines: str) -> list[str]:
    return (await app.run("python3", "-c", MEMCACHED, stdin="\n".join(lines).encode())).text.splitlines()


async def test_memcached_keeps_what_it_is_given_until_it_restarts_and_takes_no_datagrams():
    async with standing(service("memcached", "1.6", disk_mb=None)) as stand, application(stand) as app:
        assert await memcached(app, r"set basket 0 0 5\r\napple", "get basket") == ["STORED", "VALUE basket 0 5"]
        assert await memcached(app, "get basket") == ["VALUE basket 0 5"]
        sockets = (await stand.execute(("cat", "/proc/net/udp", "/proc/net/udp6"))).decode()
        assert f":{11211:04X}" not in sockets
        await stand.restart()
        assert await memcached(app, "get basket") == ["END"]


SERVER = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    def do_GET(self):
        Page.asked += 1
        body = f"{sys.argv[1]} {Page.asked} {self.headers['X-Client-IP']}".encode()
        if self.path == "/slow":
            open("/tmp/asked", "w").close()
            time.sleep(3)
        if self.path == "/large":
            body = b"x" * 200_000_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "private" if self.path == "/large" else "max-age=300")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
ThreadingHTTPServer(("", 80), Page).serve_forever()
"""
VCL = "sub vcl_recv { set req.backend_hint = shop.backend(); }\n"


async def backend(stand: Stand, app: Application) -> Backend:
    (seen,) = json.loads((await run("docker", "inspect", app.name)).stdout)
    return Backend(app.name, seen["NetworkSettings"]["Networks"][stand.name]["IPAddress"])


async def turn(stand: Stand, app: Application) -> None:
    front = FRONTS["varnish"]
    text = front.text(stand.service, {"shop": (await backend(stand, app),)})
    await stand.execute(front.load(text), text.encode())
    (stand.folder / "front" / TEXT_FILE).write_text(text)
    await stand.execute(front.turn(text))
    await stand.execute(front.turn(text))


async def test_varnish_keeps_answers_of_one_version_and_gives_none_of_an_earlier_one():
    it = service("varnish", "7.7", disk_mb=None, configuration=VarnishConfiguration(VCL, ".platform/config.vcl"))
    it = replace(it, relationships=(Relationship("shop", "app", "http", Place("services.yaml", 3, 1)),))
    server = ("python3", "-c", SERVER)
    async with (
        standing(it) as stand, application(stand) as visitor, application(stand, "first", *server, "first") as first,
        application(stand, "second", *server, "second") as second,
    ):
        assert "503" in await visitor.get("/", "--head")
        await turn(stand, first)
        page = await visitor.get("/", "--header", "X-Client-IP: 192.0.2.7")
        assert page == "first 1 192.0.2.7"
        assert await visitor.get("/") == page, "kept"
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(visitor.get("/slow"))
            await first.run("sh", "-c", "until [ -e /tmp/asked ]; do sleep 0.05; done")
            await turn(stand, second)
            assert (await visitor.get("/")).startswith("second")
        assert slow.result().startswith("first"), "who asked before gets his answer"
        assert (await visitor.get("/slow")).startswith("second"), "what came late from the earlier version is not kept"
        assert await visitor.get("/large", "--output", "/dev/null", "--write-out", "%{size_download}") == "200000000"
        listed = (await stand.execute(("varnishadm", "vcl.list"))).decode()
        assert listed.strip().count("\n") <= 2, "no VCL is left over"
        await stand.restart()
        assert (await visitor.get("/")).startswith("second"), "it starts with what it did last"
        await look_at_its_pages(visitor)
        await refuse_what_is_wrong(stand, it, visitor)


async def look_at_its_pages(visitor: Application) -> None:
    assert "MAIN.cache_hit" in await visitor.get(":8080/stats")
    assert VCL.strip() in await visitor.get(":8080/config")
    assert "was taken" in await visitor.get(":8080/")
    assert "there are" in await visitor.get(":8080/../etc/passwd", "--path-as-is")
    both = "curl -s --max-time 3 http://it:8080/logs & sleep 1; curl -s http://it/; wait; true"
    logs = await visitor.run("sh", "-c", both)
    assert "ReqURL" in logs.text


async def refuse_what_is_wrong(stand: Stand, it: Service, visitor: Application) -> None:
    front = FRONTS["varnish"]
    vcl = f"# a comment\n{VCL}sub x {{ sett; }}\n"
    wrong = replace(it, configuration=VarnishConfiguration(vcl, ".platform/config.vcl"))
    text, fine = front.text(wrong, {}), front.text(it, {})
    image = await image_of("varnish", "7.7")
    apart = ("docker", "run", "--rm", "-i", "--network=none", "--read-only", "--cap-drop=ALL", "--label", LABEL,
             "--tmpfs=/tmp:exec", "--entrypoint=", image)
    for argv in (("docker", "exec", "-i", stand.name, *front.load(text)), (*apart, *front.trial)):
        said = await run(*argv, stdin=text.encode(), check=False)
        assert said.status != 0
        refused = front.refusal(wrong, text, said.stderr.decode())
        assert (refused.where, refused.what) == (".platform/config.vcl:3", "Symbol not found: 'sett'"), said
    assert "Symbol not found" in await visitor.get(":8080/")
    assert (await visitor.get("/")).startswith("second"), "it goes on"
    await run(*apart, *front.trial, stdin=fine.encode())


PUBLISH = """
import base64, hashlib, hmac, json, sys, urllib.parse, urllib.request
def part(data): return base64.urlsafe_b64encode(data).decode().rstrip("=")
key, path = sys.argv[1].encode(), "http://it:3000/.well-known/mercure"
body = part(b'{"alg":"HS256"}') + "." + part(b'{"mercure":{"publish":["*"],"subscribe":["*"]}}')
bearer = {"Authorization": "Bearer " + body + "." + part(hmac.new(key, body.encode(), hashlib.sha256).digest())}
form = urllib.parse.urlencode({"topic": "orders", "data": sys.argv[2], "private": "on"}).encode()
print(urllib.request.urlopen(urllib.request.Request(path, form, bearer), timeout=10).read().decode())
since = urllib.request.Request(path + "?topic=orders&lastEventID=earliest", headers=bearer)
with urllib.request.urlopen(since, timeout=10) as events:
    while True:
        line = events.readline().decode().strip()
        if line.startswith("data:"):
            print(line)
        if line == "data: " + sys.argv[2]:
            break
"""


async def test_mercure_hands_on_what_is_signed_with_its_password_and_keeps_it_over_a_restart():
    it = service("mercure", "0", endpoints=(Endpoint("mercure"),), configuration=MercureConfiguration(anonymous=True))
    async with standing(it) as stand, application(stand) as app:
        assert await refused(app), "there is no key yet"
        await stand.provision()
        await stand.provision()
        key = str(stand.credentials["mercure"].password)
        said = (await app.run("python3", "-c", PUBLISH, key, "first")).text
        assert (said[:9], said.splitlines()[1:]) == ("urn:uuid:", ["data: first"])
        await stand.restart()
        assert (await app.run("python3", "-c", PUBLISH, key, "second")).text.splitlines()[1:] == [
            "data: first", "data: second"]
        assert await refused(app)


async def refused(app: Application) -> bool:
    said = await app.run("python3", "-c", PUBLISH, "another key", "x", check=False)
    return b"401" in said.stderr


CHROME = r"""
import base64, json, os, socket, urllib.request
about = json.load(urllib.request.urlopen("http://it:9222/json/version", timeout=20))
assert "Chrom" in about["Browser"] or "HeadlessChrome" in about["User-Agent"], about
address = about["webSocketDebuggerUrl"]
assert "localhost" not in address and "127.0.0.1" not in address, address
name, path = address.removeprefix("ws://").split("/", 1)
with socket.create_connection(tuple(name.split(":")), 10) as it:
    key = base64.b64encode(os.urandom(16)).decode()
    it.sendall(f"GET /{path} HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    file = it.makefile("rb")
    assert b" 101 " in file.readline()
    while file.readline().strip():
        pass
    ask = json.dumps({"id": 1, "method": "Browser.getVersion"}).encode()
    mask = os.urandom(4)
    it.sendall(bytes((0x81, 0x80 | len(ask))) + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(ask)))
    kind, length = file.read(2)
    length = int.from_bytes(file.read(2), "big") if length == 126 else length
    print(json.loads(file.read(length))["result"]["product"])
"""


async def test_chromium_is_driven_by_its_name_and_by_its_address():
    async with standing(service("chrome-headless", "156", disk_mb=None)) as stand, application(stand) as app:
        first = (await app.run("python3", "-c", CHROME)).text
        assert "Chrome/" in first
        page = ("--header", "Origin: http://evil.example", "--output", "/dev/null", "--write-out", "%{http_code}")
        assert await app.get(":9222/json/version", *page) == "403", "a page in it does not drive it"
        await stand.restart()
        assert (await app.run("python3", "-c", CHROME)).text == first


PAGE = """<html><head><link rel=stylesheet href=style.css></head><body><h1>An order</h1>
<iframe src="file:///etc/passwd"></iframe><p id=late></p>
<script>setTimeout(() => { late.textContent = "ready"; }, 300)</script></body></html>"""
CONVERT = "http://it:3000/forms/chromium/convert"


async def test_gotenberg_makes_pages_of_html_markdown_and_addresses():
    async with standing(service("gotenberg", "8", disk_mb=None)) as stand, application(stand) as app:
        await app.run("sh", "-c", "cat > /tmp/index.html", stdin=PAGE.encode())
        await app.run("sh", "-c", "echo 'h1 { color: red }' > /tmp/style.css; echo '# From *Markdown*' > /tmp/a.md")
        await app.run("sh", "-c", """echo '<body>{{ toHTML "a.md" }}</body>' > /tmp/md.html""")

        async def ask(route: str, *fields: str) -> bytes:
            form = [word for field in fields for word in ("--form", field)]
            return (await app.run("curl", "--silent", "--max-time", "60", *form, route)).stdout

        html = ("files=@/tmp/index.html", "files=@/tmp/style.css", 'waitForExpression=late.textContent == "ready"')
        page = await ask(f"{CONVERT}/html", *html, "paperWidth=210mm", "paperHeight=297mm", "printBackground=true")
        assert page.startswith(b"%PDF-")
        assert b"595" in page, "A4 in points"
        text = await ask(f"{CONVERT}/markdown", "files=@/tmp/md.html;filename=index.html", "files=@/tmp/a.md")
        assert text.startswith(b"%PDF-")
        assert (await ask(f"{CONVERT}/url", "url=http://127.0.0.1:3000/version"))[:5] == b"%PDF-"
        picture = await ask(f"{CONVERT.replace('convert', 'screenshot')}/html", *html, "format=png")
        assert picture.startswith(b"\x89PNG")
        for route, fields, word in (
            ("url", ("url=file:///etc/passwd",), b"http://"), ("html", ("files=@/tmp/a.md",), b"index.html"),
            ("html", (*html, "paperWidth=wide"), b"paperWidth"), ("url", ("url=http://127.0.0.1:3000/none",), b"404"),
        ):
            assert word in await ask(f"{CONVERT}/{route}", *fields)
        await stand.restart()
        assert (await ask(f"{CONVERT}/html", *html))[:5] == b"%PDF-"
