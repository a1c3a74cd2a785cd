"""What is open on the earlier version goes on after the switch, has its time, and is then closed."""

from __future__ import annotations

import asyncio

from yarl import URL

from tests.support.developer import SERVER, Developer, MakeDeveloper

STREAMING = SERVER.replace("    def do_GET(self):\n", """\
    def do_GET(self):
        if self.path == "/echo":
            return self.echo()
        if self.path == "/events":
            return self.events()
""").replace("    def log_message", """\
    def echo(self):
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        while line := self.rfile.readline():
            self.wfile.write(line.upper())
            self.wfile.flush()

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b"data: tick\\n\\n")
            self.wfile.flush()
            time.sleep(0.2)

    def log_message""").replace("import os\n", "import os\nimport time\n")
LIMIT_SECONDS = 120.0


async def test_streams_outlive_the_switch_and_are_closed_when_their_time_is_over(developer: MakeDeveloper) -> None:
    me = await developer("drained", files={"server.py": STREAMING})
    assert (await me.push()).deployed
    echo = await _open(me, "/echo", "Connection: Upgrade\r\nUpgrade: websocket\r\n")
    events = await _open(me, "/events")
    assert b" 101 " in await echo[0].readuntil(b"\r\n\r\n")
    assert b" 200 " in await events[0].readuntil(b"\r\n\r\n")

    await me.write({"text": "second"})
    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
        pushing = group.create_task(me.push())
        while await me.page() != (200, "second on main"):
            await asyncio.sleep(0.05)
        echo[1].write(b"after the switch\n")
        assert await echo[0].readline() == b"AFTER THE SWITCH\n"
        assert await events[0].readuntil(b"tick\n")
        pushed = await pushing
        assert pushed.deployed, pushed.lines
        await events[0].read()   # until it is closed
        assert await echo[0].read() == b""
    for _, writer in (echo, events):
        writer.close()
        await writer.wait_closed()
    assert "what was still open on the earlier version after 5 s was closed" in "\n".join(pushed.lines)


async def _open(me: Developer, path: str, headers: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = URL(me.daemon.url(me.project, path=path))
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {url.authority}\r\n{headers}\r\n".encode())
    return reader, writer
