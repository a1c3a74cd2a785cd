# ruff: noqa: E501   rows of tables are lines
"""Words of nginx's configuration, whatever project files put into them: a real nginx says what it has read."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from deployd.process import run
from deployd.project.fields.nginx_literal import DOLLAR, literal, plain
from deployd.project.fields.nginx_variables import ITS_OWN
from deployd.project.model import Application, Commands, Instance, Location, Rule, Web
from deployd.release.applications.web_server import web_server_files

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = """\
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
    geo $deployd_dollar { default "$"; }
    server {
        listen 80;
"""
HOSTILE = (
    r'a\\\" always; return 200 "x', "a\\", r"a\\", r"\\\"", '"', "'", r"\"", '"; return 200 "x', "$", "$$", "${x}", "$x",
    DOLLAR, "a;b", "}", "{", "# a", r"\n", r"\t\r", "\\\\\\", r"a\'b", "é\\", "a\tb", '\\" always;\nreturn 200 "x', "",
)
LETTERS = st.sampled_from("\\\"'$;{}# \t\nrnt~=@*ax0é")


@dataclass
class Nginx:
    """One that reads another configuration whenever it is asked to."""

    name: str
    folder: Path
    address: str
    session: aiohttp.ClientSession

    async def accepts(self, text: str) -> bool:
        (self.folder / "nginx.conf").write_text(text)
        tested = await run("docker", "exec", self.name, "nginx", "-t", "-c", "/etc/deployd/nginx.conf", check=False)
        return tested.status == 0

    async def read(self, text: str) -> None:
        """Test a configuration and have it: its answers say which one it is."""
        mark = secrets.token_hex(8)
        (self.folder / "nginx.conf").write_text(text.replace("MARK", mark))
        await run("docker", "exec", self.name, "nginx", "-t", "-c", "/etc/deployd/nginx.conf")
        await run("docker", "exec", self.name, "nginx", "-s", "reload", "-c", "/etc/deployd/nginx.conf")
        async with asyncio.timeout(30):
            seen = 0
            while seen < 10:   # for a moment the earlier worker accepts connections too
                seen = seen + 1 if (await self.ask("/mark"))[1] == mark else 0
                await asyncio.sleep(0.01)

    async def ask(self, path: str) -> tuple[int, str, list[str]]:
        """(status, body, values of X-Value)"""
        url = URL(f"http://{self.address}{path}", encoded=True)
        try:
            async with self.session.get(url, headers={"Connection": "close"}) as answer:
                return answer.status, (await answer.read()).decode(), answer.headers.getall("X-Value", [])
        except aiohttp.ClientConnectorError:
            return 0, "", []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nginx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nginx]:
    folder, app = tmp_path_factory.mktemp("conf"), tmp_path_factory.mktemp("app")
    for path in (folder, app, folder.parent):
        path.chmod(0o755)
    for name in ("a.txt", 'a"b.txt', "a\\b.txt"):
        (app / name).write_text("file")
    (folder / "nginx.conf").write_text(HEAD + "} }")
    name = f"test-literals-{secrets.token_hex(4)}"
    await run("docker", "run", "-d", "--name", name, "--user", "10000:10000", "-v", f"{folder}:/etc/deployd:ro",
              "-v", f"{app}:/app:ro", "--tmpfs", "/tmp", "--entrypoint", "", "deployd/web:1",
              "nginx", "-e", "stderr", "-c", "/etc/deployd/nginx.conf", "-g", "daemon off;")
    address = (await run("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)).text
    try:
        async with aiohttp.ClientSession() as session:
            yield Nginx(name, folder, address.strip(), session)
    finally:
        await run("docker", "rm", "-f", name)


async def come_back(nginx: Nginx, texts: Sequence[str]) -> None:
    lines = "".join(
        f"location = /{number} {{ add_header X-Value {plain(header_of(text))} always; return 200 {plain(text)}; }}\n"
        for number, text in enumerate(texts)
    )
    await nginx.read(f"{HEAD}location = /mark {{ return 200 MARK; }}\n{lines}}} }}")
    for number, text in enumerate(texts):
        status, body, values = await nginx.ask(f"/{number}")
        assert (status, body) == (200, text)
        assert values == ([header_of(text)] if header_of(text) else [])   # nginx leaves out an empty one


def header_of(text: str) -> str:
    """What of a text may stand in a header."""
    return re.sub(r"[\x00-\x1f\x7f]", "", text).strip()


async def test_each_hostile_word_means_itself_and_nothing_more(nginx: Nginx) -> None:
    await come_back(nginx, HOSTILE)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(st.text(LETTERS, max_size=30) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
                      min_size=40, max_size=60))
async def test_any_word_means_itself_and_nothing_more(nginx: Nginx, texts: list[str]) -> None:
    await come_back(nginx, texts)


HEADERS = {f"X-Value-{number}": header_of(text) for number, text in enumerate(HOSTILE) if header_of(text)}
PATTERNS = (
    r'a\"b\.txt$', 'a"b[.]txt', r"a\\b\.txt\z", r"[\\]b", r'\\"x', '"', r"\\\\", r'\"\\\"', r'"; return 200 "x', r"^/\$\{x\}$",
    r'[\\"]y', r"\}$", r"\\\\\\", r"#\s{2}", "é\\\\",
)
FILES = ('a"b.txt', 'a"b.txt', "a\\b.txt", "a\\b.txt")
"""What the first patterns match; the others have to be accepted, and to match nothing of it."""


async def test_headers_and_rules_of_a_project_are_what_nginx_does(nginx: Nginx) -> None:
    """A backslash before a quote ended the word too early, and what followed was executed."""
    ruled = tuple(
        Location(f"/rule{number}", root="", rules=(Rule(pattern, headers={"X-Value": "ruled"}),))
        for number, pattern in enumerate(PATTERNS)
    )
    locations = (Location("/", root="", headers=HEADERS), *ruled)
    app = Application("shop", "nodejs", "20", "", Web(Instance(Commands()), "tcp", "http", locations))
    files = web_server_files(app, trusted="172.16.0.0/12")
    (nginx.folder / "fastcgi.conf").write_text(files["fastcgi.conf"])
    await nginx.read(files["nginx.conf"].replace("location = ", "location = /mark { return 200 MARK; } location = ", 1))
    async with nginx.session.get(f"http://{nginx.address}/a.txt") as answer:
        assert (answer.status, await answer.text()) == (200, "file")
        assert {name: value for name, value in answer.headers.items() if name.startswith("X-Value")} == HEADERS
    for number, _ in enumerate(PATTERNS):
        assert await nginx.ask(f"/rule{number}/a.txt") == (200, "file", [])
    for number, name in enumerate(FILES):
        assert await nginx.ask(f"/rule{number}/{quote(name)}") == (200, "file", ["ruled"])


async def test_groups_that_nginx_would_refuse_are_those_that_are_refused_before(nginx: Nginx) -> None:
    for name in sorted(ITS_OWN - {"http2", "http3"})[::6]:
        pattern = literal(f"^/(?<{name}>.*)$")
        assert not await nginx.accepts(f"{HEAD} location ~ {pattern} {{ return 200; }} }} }}"), name
    assert await nginx.accepts(f"{HEAD} location ~ {literal('^/(?<resource>.*)$')} {{ return 200; }} }} }}")
