"""The hub of Mercure that the image has: tokens, topics, what is kept, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from deployd.environment.relationships import Credential
from deployd.project.model import Endpoint, Service
from deployd.services.families import family_of
from tests.support.corpus import REPOSITORY

KEY, PATH = b"key-of-this-test", "/.well-known/mercure"


@pytest.fixture(scope="module")
def hub() -> Iterator[ModuleType]:
    sys.path.insert(0, str(REPOSITORY / "config/images/mercure"))
    names = ("hub", "history", "tokens", "topics")
    yield importlib.import_module("hub")
    sys.path.pop(0)
    for name in names:
        sys.modules.pop(name)


def token(key: bytes = KEY, *, algorithm: str = "HS256", exp: int | None = None, **mercure: list[str]) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    head = part(json.dumps({"alg": algorithm}).encode())
    body = part(json.dumps({"mercure": mercure, **({} if exp is None else {"exp": exp})}).encode())
    return f"{head}.{body}.{part(hmac.new(key, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"


@asynccontextmanager
async def client(hub: ModuleType, folder: Path, **more: Any) -> AsyncIterator[TestClient]:
    history = hub.History(str(folder / "updates.db"), more.pop("most_bytes", 1 << 20))
    async with TestClient(TestServer(hub.Hub(history, lambda: KEY, **more).application())) as found:
        yield found
    history.close()


def bearer(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(**claims)}"}


async def event(answer: ClientResponse) -> dict[str, str]:
    """The next event, comments left out."""
    found: dict[str, str] = {}
    async with asyncio.timeout(10):
        while True:
            line = (await answer.content.readline()).decode().rstrip("\n")
            if not line and found:
                return found
            name, _, value = line.partition(": ")
            if name and not line.startswith(":"):
                found[name] = found[name] + "\n" + value if name in found else value


async def test_who_listens_gets_what_is_public_and_what_is_private_for_him_alone(hub, tmp_path):
    async with client(hub, tmp_path) as http:
        listening = await http.get(
            PATH, params=[("topic", "https://x/books/{id}")], headers=bearer(subscribe=["https://x/books/1"]),
        )
        assert listening.headers["Content-Type"] == "text/event-stream"

        async def publish(topic: str, data: str, **more: str) -> int:
            form = {"topic": topic, "data": data, **more}
            return (await http.post(PATH, data=form, headers=bearer(publish=["*"]))).status

        assert await publish("https://x/books/2", "secret", private="on") == 200
        assert await publish("https://x/cars/2", "another topic") == 200
        assert await publish("https://x/books/1", "for him", private="on", type="changed", id="a1") == 200
        assert await publish("https://x/books/2", "two\r\nlines") == 200
        assert await event(listening) == {"id": "a1", "event": "changed", "data": "for him"}
        second = await event(listening)
        assert (second["data"], second["id"][:9]) == ("two\nlines", "urn:uuid:")
        listening.close()


async def test_who_comes_back_gets_what_he_missed_also_from_a_hub_that_was_restarted(hub, tmp_path):
    async with client(hub, tmp_path) as http:
        for number in range(3):
            form = {"topic": "t", "data": str(number), "id": f"n{number}"}
            await http.post(PATH, data=form, headers=bearer(publish=[]))
    async with client(hub, tmp_path, anonymous=True) as http:
        listening = await http.get(PATH, params={"topic": "t"}, headers={"Last-Event-ID": "n0"})
        assert (await event(listening), await event(listening)) == (
            {"id": "n1", "data": "1"}, {"id": "n2", "data": "2"})
        assert (await http.get(PATH, params={"topic": "t"})).headers["Last-Event-ID"] == "n2"


async def test_the_oldest_updates_go_when_there_is_no_room(hub, tmp_path):
    async with client(hub, tmp_path, anonymous=True, most_bytes=2000) as http:
        for number in range(20):
            await http.post(PATH, data={"topic": "t", "data": str(number)}, headers=bearer(publish=[]))
        listening = await http.get(PATH, params={"topic": "t", "lastEventID": "earliest"})
        assert int((await event(listening))["data"]) > 9


async def test_the_history_is_not_read_into_memory_for_who_comes_back(hub, tmp_path):
    history = sys.modules["history"].History(str(tmp_path / "updates.db"), 1 << 20)
    for number in range(3):
        history.add(sys.modules["history"].Update(f"n{number}", ["t"], False, "x"))
    found, missed = history.since("n0")
    assert (found, next(missed).id) == ("n0", "n1")
    history.add(sys.modules["history"].Update("later", ["t"], False, "x"))   # it comes to him as to all that listen
    assert [update.id for update in missed] == ["n2"]
    history.close()


async def test_nobody_may_listen_to_what_takes_long_to_compare(hub, tmp_path):
    async with client(hub, tmp_path, anonymous=True) as http:
        assert (await http.get(PATH, params=[("topic", "{a}" * 25), ("topic", "{a}" * 26)])).status == 400
        assert (await http.get(PATH, params=[("topic", "{a}" * 25), ("topic", "{a}" * 25)])).status == 200


@pytest.mark.parametrize(("headers", "form", "status"), [
    ({}, {}, 401), (bearer(subscribe=["*"]), {}, 401), (bearer(key=b"another", publish=["*"]), {}, 401),
    (bearer(publish=["*"], algorithm="none"), {}, 401), (bearer(publish=["*"], exp=1), {}, 401),
    ({"Authorization": "Bearer a.b.c"}, {}, 401), ({"Cookie": f"mercureAuthorization={token(publish=['*'])}"}, {}, 401),
    (bearer(publish=["u"]), {"private": "on"}, 403), (bearer(publish=["*"]), {"id": "a\ndata: x"}, 400),
    (bearer(publish=["*"]), {"retry": "soon"}, 400), (bearer(publish=["*"]), {"topic": ""}, 400),
    (bearer(publish=["*"]), {"id": "#x"}, 400), (bearer(publish=["t"]), {"private": "on"}, 200),
])
async def test_who_may_publish_what(hub, tmp_path, headers, form, status):
    async with client(hub, tmp_path) as http:
        assert (await http.post(PATH, data={"topic": "t", "data": "d", **form}, headers=headers)).status == status


async def test_who_may_listen_and_from_which_pages(hub, tmp_path):
    async with client(hub, tmp_path, origins=("https://shop.example",)) as http:
        assert (await http.get(PATH, params={"topic": "t"})).status == 401
        assert (await http.get(PATH, headers=bearer(subscribe=[]))).status == 400
        cookie = {"Cookie": f"mercureAuthorization={token(subscribe=['t'])}", "Origin": "https://shop.example"}
        there = await http.get(PATH, params={"topic": "t"}, headers=cookie)
        assert (there.status, there.headers["Access-Control-Allow-Origin"]) == (200, "https://shop.example")
        elsewhere = await http.get(PATH, params={"topic": "t"}, headers={**cookie, "Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in elsewhere.headers
        refused = await http.get(PATH, headers={"Origin": "https://shop.example"})
        assert refused.headers["Access-Control-Allow-Origin"] == "https://shop.example"


@pytest.mark.parametrize(("selector", "topic", "fits"), [
    ("*", "x", True), ("a", "a", True), ("a", "b", False), ("/b/{id}", "/b/7", True), ("/b/{id}", "/b/7/c", False),
    ("/b/{+rest}", "/b/7/c", True), ("/b{/rest}", "/b/7", True), ("/b{/rest}", "/b", True), ("/{a}/{b}", "/1/2", True),
    ("/b{?q}", "/b?q=1", True), ("/b/{id}/x", "/b/7/y", False), ("{a}{b}{c}{d}" * 99, "x" * 2000 + "/", False),
    ("/b/{id", "/b/7", False),
])
def test_selectors_fit_as_templates_do(hub, selector, topic, fits):
    assert sys.modules["topics"].matches(selector, topic) is fits


async def test_the_key_is_laid_by_who_owns_the_folder_and_through_no_link(tmp_path: Path) -> None:
    it = Service("hub", "mercure", "0", "mercure:0", 256, endpoints=(Endpoint("mercure"),))
    said: list[tuple[tuple[str, ...], bytes]] = []

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        said.append((argv, stdin or b""))
        return b""

    await family_of(it).provision(execute, it, {"mercure": Credential(password="key")})
    [(argv, key)] = said
    assert argv[:4] == ("setpriv", "--reuid=999", "--regid=999", "--clear-groups")
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / ".key").symlink_to(elsewhere)
    subprocess.run(["sh", "-c", argv[-1].replace("/data", str(tmp_path))], input=key, check=True)
    assert (tmp_path / "key").read_bytes() == b"key"
    assert not elsewhere.exists()
