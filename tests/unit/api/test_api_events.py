"""Server-sent events: what changed, in order, for those who may see it, and from where somebody left off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.activity.error_boundary import ErrorBoundary
from deployd.api import changes as changes_module
from deployd.api.applications import Public, public_application
from deployd.api.asked import Api
from deployd.api.changes import Changes
from deployd.api.openapi import openapi
from deployd.api.routes import ROUTES
from deployd.http.callers import Callers
from tests.doubles.api import FakeCommands, FakeQueries, activity, ending, environment, line
from tests.unit.api.test_api_changing import ADA, CARL, _find

Client = TestClient[web.Request, web.Application]
Seen = tuple[str, dict[str, Any], str]
"""(event, data, id)"""
FOLLOW = {"Accept": "text/event-stream"}


@pytest.fixture
def queries() -> FakeQueries:
    log = [line(1, "composer install"), line(2, "two\r\nid: 9"), ending(3)]
    return FakeQueries([activity(1), activity(2, "blog"), activity(3, state="in_progress")],
                       {1: log, 3: [line(1, "composer install")]})


@pytest.fixture
def changes(queries: FakeQueries) -> Changes:
    return Changes(queries.by_noun, ErrorBoundary("events"))


@pytest_asyncio.fixture
async def client(
    queries: FakeQueries, changes: Changes, monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Client]:
    monkeypatch.setattr(changes_module, "LOOK_SECONDS", 0.01)
    api = Api(queries.by_noun, FakeCommands(queries).by_noun, changes)
    server = TestServer(public_application(api, [], Public(Callers(_find))))
    with capture_logs():
        async with TestClient(server) as opened, asyncio.TaskGroup() as group:
            task = group.create_task(changes.serve())
            yield opened
            task.cancel()


async def read(answer: ClientResponse) -> Seen:
    """The next event."""
    found: dict[str, str] = {}
    while True:
        raw = (await answer.content.readline()).decode().rstrip("\n")
        if not raw and "event" in found:
            return found["event"], json.loads(found["data"]), found.get("id", "")
        name, _, value = raw.partition(": ")
        if name in ("event", "data", "id"):
            found[name] = value


@asynccontextmanager
async def events(
    client: Client, headers: dict[str, str] = ADA, place: str = "", query: str = "",
) -> AsyncIterator[ClientResponse]:
    last = {"Last-Event-ID": place} if place else {}
    async with asyncio.timeout(10), client.get(f"/api/v1/events{query}", headers={**headers, **last}) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield answer


async def test_what_changes_is_told_as_it_is_now(client: Client, queries: FakeQueries) -> None:
    async with events(client) as answer:
        assert (await read(answer))[:2] == ("begin", {
            "kind": "begin", "project": "", "name": "", "activity": None, "environment": None})
        queries.known[2] = replace(queries.known[2], state="success")
        kind, told, place = await read(answer)
        assert (kind, told["activity"]["id"], told["activity"]["state"], told["project"]) == (
            "activity", 3, "success", "shop")
        assert place.endswith(".1")
        queries.running = [environment("shop", state="deploying"), environment("blog")]
        kind, told, _ = await read(answer)
        assert (kind, told["name"], told["environment"]["state"]) == ("environment", "main-bvxea6i", "deploying")
        queries.running = [environment("blog")]
        kind, told, _ = await read(answer)
        assert (kind, told["project"], told["name"], told["environment"]) == ("gone", "shop", "main-bvxea6i", None)
    document = openapi(ROUTES, "1")
    shape = {"$ref": "#/components/schemas/ChangeShape", "components": document["components"]}
    jsonschema.validate(told, shape)


async def test_who_comes_back_is_told_what_they_missed(client: Client, queries: FakeQueries) -> None:
    async with events(client) as answer:
        _, _, place = await read(answer)
    await asyncio.sleep(0.05)   # nobody looks meanwhile
    queries.known.append(activity(4, state="pending"))
    queries.known[2] = replace(queries.known[2], state="failed")
    async with events(client, place=place) as answer:
        first, second = await read(answer), await read(answer)
    assert [(told["activity"]["id"], told["activity"]["state"]) for _, told, _ in (first, second)] == [
        (3, "failed"), (4, "pending")]
    async with events(client, place=first[2]) as answer:
        assert await read(answer) == second


async def test_nobody_learns_of_projects_of_others(client: Client, queries: FakeQueries) -> None:
    async with events(client, CARL) as carls, events(client, query="?project=shop") as shops:
        await read(carls)
        await read(shops)
        queries.known.append(activity(4, "shop"))
        queries.known.append(activity(5, "blog"))
        queries.known.append(activity(6, "shop"))
        assert (await read(carls))[1]["activity"]["id"] == 5
        assert [(await read(shops))[1]["activity"]["id"] for _ in range(2)] == [4, 6]
    async with client.get("/api/v1/events") as answer:
        assert answer.status == 401


async def test_a_look_at_the_head_ends(client: Client) -> None:
    for path in ("/api/v1/events", "/api/v1/activities/3/log", "/api/v1/activities"):
        for headers in (ADA, {**ADA, **FOLLOW}):
            async with asyncio.timeout(5), client.head(path, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize("place", ["x", "deadbeef.1", ".", "9.9", "\u00b2.\u00b2"])
async def test_a_place_that_is_none_begins_anew(client: Client, place: str) -> None:
    async with events(client, place=place) as answer:
        assert (await read(answer))[0] == "begin"


async def test_a_place_that_is_too_long_ago_begins_anew(
    client: Client, queries: FakeQueries, changes: Changes, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with events(client) as answer:
        _, _, place = await read(answer)
    changes._kept = type(changes._kept)(maxlen=3)
    queries.known += [activity(number) for number in range(4, 9)]
    async with events(client, place=place) as answer:
        assert (await read(answer))[0] == "begin"


async def test_an_old_activity_is_watched_to_its_end(
    client: Client, queries: FakeQueries, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changes_module, "MOST_ACTIVITIES", 3)
    async with events(client) as answer:
        await read(answer)
        queries.known += [activity(number) for number in range(4, 9)]
        seen = {(await read(answer))[1]["activity"]["id"] for _ in range(3)}
        assert seen == {6, 7, 8}
        queries.known[2] = replace(queries.known[2], state="failed")
        assert (await read(answer))[1]["activity"]["state"] == "failed"


async def test_a_log_is_told_line_by_line_from_where_one_left_off(client: Client, queries: FakeQueries) -> None:
    path = "/api/v1/activities/3/log"
    async with asyncio.timeout(10), client.get(path, headers={**ADA, **FOLLOW}) as answer:
        kind, told, place = await read(answer)
        assert (kind, told["text"], place) == ("line", "composer install", "1")
        queries.logs[3] += [line(2, "two\r\nid: 9"), ending(3)]
        assert (await read(answer))[1]["text"] == "two\r\nid: 9"
        assert (await read(answer))[1]["kind"] == "end"
        assert await answer.content.read() == b""
    async with client.get(path, headers={**ADA, **FOLLOW, "Last-Event-ID": "2"}) as answer:
        assert (await read(answer))[2] == "3"
    assert queries.closed == 2


async def test_a_browser_does_not_come_back_for_a_log_that_has_ended(client: Client, queries: FakeQueries) -> None:
    async with client.get("/api/v1/activities/1/log", headers={**ADA, **FOLLOW, "Last-Event-ID": "3"}) as answer:
        assert answer.status == 204
    async with client.get("/api/v1/activities/1/log", headers={**ADA, **FOLLOW, "Last-Event-ID": "x"}) as answer:
        assert answer.status == 400
    async with client.get("/api/v1/activities/1/log", headers={**CARL, **FOLLOW}) as answer:
        assert answer.status == 404


async def test_the_run_of_an_activity_is_told(client: Client) -> None:
    async with client.get("/api/v1/activities/1/run", headers=ADA) as answer:
        told = await answer.json()
    assert (told["phase"], told["timeline"]["seconds"], told["commit"][:8]) == ("build", 2.0, "48c43b99")
    assert [step["step"] for step in told["timeline"]["phases"][0]["steps"]] == ["build_apps"]


async def test_sessions_of_others_are_for_admins_of_everything(client: Client, queries: FakeQueries) -> None:
    async with client.get("/api/v1/sessions", headers=CARL) as answer:
        assert [item["token"] for item in (await answer.json())["items"]] == ["carl"]
    async with client.get("/api/v1/sessions?token=ada", headers=CARL) as answer:
        assert answer.status == 403
    async with client.post("/api/v1/sessions/55/end?token=ada", headers=CARL) as answer:
        assert answer.status == 403
    async with client.post("/api/v1/sessions/55/end?token=carl", headers=ADA) as answer:
        assert answer.status == 200
    assert queries.asked == [("end_session", "55", "carl")]
