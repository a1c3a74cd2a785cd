"""What a routes file says, seen by visitors of a project with two domains and by its application."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from yarl import URL

from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

ROUTES = """\
"http://{all}/":
  type: upstream
  upstream: "app:http"
  id: main
  attributes: {colour: blue}
  cache: {enabled: true, default_ttl: 60, cookies: [sid]}
  redirects:
    expires: 1h
    paths:
      /old: {to: "http://{all}/new"}
      "^/p/(.*)$": {to: "http://{default}/$1", regexp: true, code: 308, expires: 0}
"http://www.{all}/": {type: redirect, to: "http://{all}/"}
"http://*.{default}/": {type: upstream, upstream: "app:http", ssi: true, primary: true}
"""
TWICE = """\
"http://any.one.test/": {type: upstream, upstream: "app:http"}
"http://any.{default}/": {type: upstream, upstream: "app:http"}
"""
SHOWN = SERVER.replace("        body =", """\
        if self.path == "/routes":
            body = base64.b64decode(os.environ["PLATFORM_ROUTES"])
        else:
            body =""").replace("import os\n", "import base64\nimport os\n")


async def visit(me: Developer, host: str, path: str = "/") -> tuple[int, dict[str, str], str]:
    """(status, headers, body) of one of the project's domains."""
    async with aiohttp.ClientSession() as session, session.get(
        URL(f"http://127.0.0.1:{me.daemon.http_port}{path}"), headers={"Host": host}, allow_redirects=False,
    ) as answer:
        return answer.status, dict(answer.headers), await answer.text()


async def test_a_routes_file_is_what_visitors_meet_and_what_the_application_reads(developer: MakeDeveloper) -> None:
    me = await developer("routed", files={
        ".platform.app.yaml": APP, "server.py": SHOWN, ".platform/routes.yaml": ROUTES,
    })
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    port = f":{me.daemon.http_port}"
    assert [(await visit(me, host))[0] for host in ("one.test", "two.test", "any.one.test", "any.two.test")] == [
        200, 200, 200, 404,
    ]
    for host, path, status, location in (
        ("www.two.test", "/x?y", 301, f"http://two.test{port}/x?y"),
        ("two.test", "/old/a", 302, f"http://two.test{port}/new/a"),
        ("two.test", "/p/a", 308, f"http://one.test{port}/a"),
    ):
        answer = await visit(me, host, path)
        assert (answer[0], answer[1]["Location"]) == (status, location)
    assert (await visit(me, "one.test", "/old"))[1]["Cache-Control"] == "max-age=3600"
    assert [(await visit(me, "one.test", "/kept"))[1]["X-Platform-Cache"] for _ in range(2)] == ["MISS", "HIT"]

    routes: dict[str, Any] = json.loads((await visit(me, "one.test", "/routes"))[2])
    assert {url: (route["type"], route["primary"]) for url, route in routes.items()} == {
        f"http://one.test{port}/": ("upstream", False), f"http://two.test{port}/": ("upstream", False),
        f"http://www.one.test{port}/": ("redirect", False), f"http://www.two.test{port}/": ("redirect", False),
        f"http://*.one.test{port}/": ("upstream", True),
    }
    two = routes[f"http://two.test{port}/"]
    assert (two["original_url"], two["id"], two["attributes"]) == ("http://{all}/", "main", {"colour": "blue"})
    assert routes[f"http://www.two.test{port}/"]["to"] == f"http://two.test{port}/"

    await me.write({".platform/routes.yaml": ROUTES + TWICE})
    refused = await me.push()
    assert not refused.deployed
    assert "the routes http://any.one.test/ and http://any.{default}/ are one URL here" in "\n".join(refused.lines)
    assert (await visit(me, "one.test"))[0] == 200
