# ruff: noqa: E501   rows of tables are lines
"""Words of project files in nginx's configuration, and cookies of one tenant on the domain of all."""

from __future__ import annotations

import json

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from tests.support.developer import APP, Developer, MakeDeveloper

SERVER = """\
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query)
        self.send_response(200)
        for cookie in asked.get("set", []):
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"""
VALUES = (
    r'a\\\" always; return 200 "x', "a\\", r"a\\", r"\\\"", '"', "'", r"\"", '"; return 200 "x', "$", "$host", "${deployd_dollar}",
    "a;b", "}", "{", "# a", r"\n", r"\t\r", "\\\\\\", r"a\'b",
)
PATTERNS = (r'a\\"b', r'\\\" { return 200 "x"; } #', '"', r"\\\\", r'; return 200 "x', r"\}$", r"#\s")
BAD = {
    "a group called uri": "rules: {'^/(?<uri>.*)$': {allow: true}}", "a group of ours": "rules: {'(?<deployd_dollar>.*)': {}}",
    "a variable that is not there": "rules: {'^/(?<a>.*)$': {passthru: /x/$b}}", "a dollar": "passthru: /x/$",
    "a line in a header": 'headers: {A: "a\\r\\nSet-Cookie: x"}', "a long header": f"headers: {{A: {'a' * 5000}}}",
    "a quote in a root": "root: 'x\";return 200 \"y'", "a quote in an index": "index: ['x\";return 200 \"y']",
    "a quote in a passthru": "passthru: '/x\";return'", "a header's name": "headers: {'A: b': c}",
    "a pattern that PCRE refuses": "rules: {'a{70000}': {}}", "a long pattern": "rules: {? '" + "\\" * 3000 + "' : {}}",
}
COOKIES = (
    "a=b; Domain={parent}", "a=b; domain=.{parent}", "a=b;DOMAIN={parent}", "a=b; Domain ={parent}", "a=b;\tDomain={parent}", "a=b; Domain=\t{parent}\t",
    "a=b; Domain={parent}.", 'a=b; Domain="{parent}"', "a=b; Domain={host}; Domain={parent}", "a=b; Domain={parent}; Domain={host}",
    "a=b; Secure; Path=/; Domain={parent}; HttpOnly", "a=b; Domain={neighbour}", "a; Domain={parent}", "a=b;;; Domain={parent}",
)


def app(locations: str) -> dict[str, str]:
    return {".platform.app.yaml": f"{APP}  locations:\n{locations}", "server.py": SERVER, "files/a.txt": "file"}


@pytest_asyncio.fixture(loop_scope="session")
async def mallory(developer: MakeDeveloper) -> Developer:
    """With every header and pattern at once; pushed anew when another test has."""
    ruled = "".join(
        f"    /rule{number}:\n      root: files\n      rules:\n        ? {json.dumps(pattern)}\n        : {{headers: {{X-Ruled: 'yes'}}}}\n"
        for number, pattern in enumerate(PATTERNS)
    )
    headers = "".join(f"        X-Value-{number}: {json.dumps(value)}\n" for number, value in enumerate(VALUES))
    me = await developer("headers", app(
        f"    /:\n      root: files\n      passthru: true\n      headers:\n{headers}{ruled}",
    ))
    if (await me.page(path="/a.txt"))[1] != "file":
        pushed = await me.push()
        assert pushed.deployed, pushed.lines
    return me


async def head(me: Developer, path: str, query: list[tuple[str, str]] | None = None) -> tuple[int, str, dict[str, list[str]]]:
    url = URL(me.daemon.url(me.project, "main", path))
    async with aiohttp.ClientSession() as session, session.get(
        url.with_host("127.0.0.1"), params=query or [], headers={"Host": url.authority},
    ) as answer:
        return answer.status, await answer.text(), {name.lower(): answer.headers.getall(name) for name in answer.headers}


@pytest.mark.parametrize("number", range(len(VALUES)), ids=VALUES)
async def test_the_value_of_a_header_is_a_value_and_nothing_more(mallory: Developer, number: int) -> None:
    status, body, headers = await head(mallory, "/a.txt")
    assert (status, body) == (200, "file")
    assert headers[f"x-value-{number}"] == [VALUES[number]]


@pytest.mark.parametrize("number", range(len(PATTERNS)), ids=PATTERNS)
async def test_the_pattern_of_a_rule_is_a_pattern_and_nothing_more(mallory: Developer, number: int) -> None:
    status, body, headers = await head(mallory, f"/rule{number}/a.txt")
    assert (status, body, headers.get("x-ruled")) == (200, "file", None)


@pytest.mark.parametrize("cookie", COOKIES)
async def test_no_cookie_goes_to_a_neighbour(mallory: Developer, cookie: str) -> None:
    host = str(URL(mallory.daemon.url("headers", "main", "/")).host)
    neighbour = str(URL(mallory.daemon.url("neighbour", "main", "/")).host)
    parent = host.partition(".")[2]
    said = cookie.format(parent=parent, host=host, neighbour=neighbour)
    status, _, headers = await head(mallory, "/set", [("set", said), ("set", f"kept=1; Domain={host}"), ("set", said)])
    assert status == 200
    found = headers["set-cookie"]
    assert len(found) == 3
    assert found[1] == f"kept=1; Domain={host}"
    assert [one for one in found if leads_out(one, host)] == []


def leads_out(cookie: str, host: str) -> bool:
    attributes = [part.partition("=") for part in cookie.split(";")[1:]]
    domains = [value.strip(" \t").lower().removeprefix(".") for name, _, value in attributes if name.strip(" \t").lower() == "domain"]
    return any(domain and domain != host and not domain.endswith(f".{host}") for domain in domains)


@pytest.mark.parametrize("name", BAD)
async def test_what_nginx_would_not_start_with_is_refused_before_anything_is_built(
    developer: MakeDeveloper, name: str,
) -> None:
    me = await developer("headers", app(f"    /:\n      {BAD[name]}\n"))
    pushed = await me.push("other")
    assert not pushed.deployed
    assert any(".platform.app.yaml:" in line for line in pushed.lines), pushed.lines
