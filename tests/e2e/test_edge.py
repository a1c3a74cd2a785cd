"""What visitors meet before the application: cache, passwords, the access log and the figures, with a whole daemon."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64encode
from typing import Any

import aiohttp
from yarl import URL

from deployd.process import run
from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

ROUTES = '''\
"http://{default}/":
  type: upstream
  upstream: "app:http"
  cache: {enabled: true, default_ttl: 60}
'''
ADA = {"Authorization": f"Basic {b64encode(b'ada:x').decode()}"}


async def visit(me: Developer, branch: str = "main", **headers: str) -> aiohttp.ClientResponse:
    url = URL(me.daemon.url(me.project, branch))
    async with aiohttp.ClientSession() as session, session.get(
        url.with_host("127.0.0.1"), headers={"Host": url.authority, **headers},
    ) as answer:
        await answer.read()
        return answer


async def access_log(me: Developer, branch: str, count: int) -> list[dict[str, Any]]:
    """As the command prints it, as soon as so many requests are there."""
    async with asyncio.timeout(60):
        while True:
            ran = await run(
                sys.executable, "-m", "deployd", "access-log", "--json", me.project, branch,
                "--socket", str(me.daemon.directory / "var" / "run" / "api.sock"),
            )
            found = [json.loads(line) for line in ran.text.splitlines()]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.5)


async def test_visitors_meet_what_routes_and_settings_say_and_the_operator_reads_it(developer: MakeDeveloper) -> None:
    files = {".platform.app.yaml": APP, "server.py": SERVER, ".platform/routes.yaml": ROUTES}
    me = await developer("edge", files=files)
    await me.push()
    await me.push("closed")
    kept = [await visit(me) for _ in range(2)]
    assert [answer.headers["X-Platform-Cache"] for answer in kept] == ["MISS", "HIT"]
    await me.write({"text": "second"})
    await me.push()
    assert ((await me.page())[1], (await visit(me)).status) == ("second on main", 200)

    assert [(await visit(me, "closed", **headers)).status for headers in ({}, ADA)] == [401, 200]
    log = await access_log(me, "closed", 2)
    assert {item["status"] for item in log[-2:]} == {401, 200}   # nginx's workers write in turn
    assert {item["cache"] for item in await access_log(me, "main", 4)} == {"MISS", "HIT"}
    async with aiohttp.ClientSession() as session, session.get(
        f"{me.daemon.api}/metrics", headers={"Authorization": f"Bearer {me.daemon.token}"},
    ) as answer:
        page = await answer.text()
    assert 'deployd_requests_total{class="4xx",environment="closed-' in page
    assert "deployd_router_up 1.0" in page
