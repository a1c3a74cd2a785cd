"""Requests that change something: who asked is noted, and what is asked for twice with one key is done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.caller import Caller
from deployd.access.tokens import caller_of, find_token
from deployd.api.applications import Public, local_application, public_application
from deployd.commands.audit import MOST_REFUSALS, action_of
from deployd.errors import DeployError
from deployd.http.callers import Callers
from deployd.settings import Token
from deployd.state import audit, repeats
from deployd.state.audit import Deed
from tests.doubles.api import FakeCommands, FakeQueries, activity, api_of

Client = TestClient[web.Request, web.Application]
TOKENS = [
    Token.model_validate({"name": "ada", "role": "admin", "secret": "secret-of-ada"}),
    Token.model_validate({"name": "vera", "role": "viewer", "secret": "secret-of-vera"}),
    Token.model_validate({"name": "carl", "role": "contributor", "secret": "secret-of-carl", "projects": ["blog"]}),
]
ADA, VERA, CARL = ({"Authorization": f"Bearer secret-of-{name}"} for name in ("ada", "vera", "carl"))
REDEPLOY = "/api/v1/projects/shop/environments/feature%2Flock/redeploy"
ROLLBACK = "/api/v1/projects/shop/environments/main/rollback"
NOW = datetime(2026, 5, 4, tzinfo=UTC)
KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries([activity(1), activity(2, "blog"), activity(3, state="in_progress")])


@pytest.fixture
def commands(queries: FakeQueries) -> FakeCommands:
    return FakeCommands(queries)


def _find(authorization: str | None) -> Caller | None:
    token = find_token(TOKENS, authorization)
    return caller_of(token) if token else None


@pytest_asyncio.fixture
async def client(queries: FakeQueries, commands: FakeCommands) -> AsyncIterator[Client]:
    app = public_application(api_of(queries, commands), [], Public(Callers(_find)))
    with capture_logs():
        async with TestClient(TestServer(app)) as opened:
            yield opened


async def post(
    client: Client, path: str, headers: dict[str, str] = ADA, body: dict[str, Any] | None = None,
) -> tuple[int, Any, bool]:
    async with client.post(path, headers=headers, json=body or {}) as answer:
        return answer.status, await answer.json(), "Idempotent-Replayed" in answer.headers


def noted(queries: FakeQueries) -> list[Deed]:
    """Oldest first."""
    return [entry.deed for entry in reversed(audit.newest(queries.store.db, limit=1000))]


async def test_who_changes_what_is_noted_whatever_comes_of_it(
    client: Client, queries: FakeQueries, commands: FakeCommands,
) -> None:
    await post(client, REDEPLOY)
    await post(client, REDEPLOY, VERA)
    await post(client, ROLLBACK, body={"to": 99})
    await post(client, ROLLBACK, body={"two": 2})
    commands.refusal = cast(Any, ZeroDivisionError())
    await post(client, REDEPLOY)
    assert [(one.who, one.action, one.project, one.environment, one.result) for one in noted(queries)] == [
        ("ada", "redeploy", "shop", "feature/lock", "done"), ("vera", "redeploy", "shop", "feature/lock", "refused"),
        ("ada", "rollback", "shop", "main", "refused"), ("ada", "rollback", "shop", "main", "refused"),
        ("ada", "redeploy", "shop", "feature/lock", "failed"),
    ]
    assert [one.said for one in noted(queries)][:3] == [
        "activity 4", "vera is a viewer, and this needs a contributor", "main has no version 99 to go back to"]
    assert {(one.by, one.address) for one in noted(queries)} == {("api", "127.0.0.1")}


async def test_what_changes_nothing_is_not_noted(client: Client, queries: FakeQueries) -> None:
    await post(client, "/api/v1/projects/shop/plan", body={"branch": "main"})
    await post(client, REDEPLOY, {})
    async with client.get("/api/v1/activities", headers=ADA):
        pass
    assert noted(queries) == []


async def test_the_socket_is_noted_as_such(queries: FakeQueries, commands: FakeCommands) -> None:
    with capture_logs():
        async with TestClient(TestServer(local_application(api_of(queries, commands), []))) as client:
            await post(client, REDEPLOY, {})
    assert [(one.who, one.by, one.address) for one in noted(queries)] == [("operator", "socket", "")]


async def test_refusals_of_one_caller_do_not_fill_the_log(client: Client, queries: FakeQueries) -> None:
    for _ in range(MOST_REFUSALS + 5):
        await post(client, REDEPLOY, VERA)
    await post(client, REDEPLOY)
    assert [one.who for one in noted(queries)] == ["vera"] * MOST_REFUSALS + ["ada"]


@pytest.mark.parametrize(("pattern", "action"), [
    ("/api/v1/projects/{project}/environments/{environment}/lock", "lock"), ("/api/v1/collect", "collect"),
    ("/activities/{id}/undo/skip", "undo skip"), ("/sessions/end", "sessions end"), ("/", "change"),
])
def test_what_is_done_is_called_by_the_words_of_its_path(pattern: str, action: str) -> None:
    assert action_of(pattern) == action


async def test_the_audit_log_is_read_in_pages_by_those_who_may(client: Client, queries: FakeQueries) -> None:
    for project in ("shop", "blog", "", "shop", "blog"):
        audit.append(queries.store.db, Deed(at=NOW, who="x", by="git", address="", action="push",
                                            project=project))

    async def page(query: str, headers: dict[str, str]) -> tuple[list[int], int | None, str]:
        async with client.get(f"/api/v1/audit?{query}", headers=headers) as answer:
            told = await answer.json()
            return [item["number"] for item in told["items"]], told["next"], answer.headers.get("Link", "")

    assert await page("limit=2", ADA) == ([5, 4], 4, '</api/v1/audit?limit=2&before=4>; rel="next"')
    assert await page("limit=2&before=4", ADA) == ([3, 2], 2, '</api/v1/audit?limit=2&before=2>; rel="next"')
    assert await page("limit=2&before=2", ADA) == ([1], None, "")
    assert await page("", CARL) == ([5, 2], None, "")
    assert await page("project=shop", CARL) == ([], None, "")
    async with client.get("/api/v1/audit", headers=VERA) as answer:
        assert answer.status == 403
    async with client.get("/api/v1/audit/check", headers=CARL) as answer:
        assert answer.status == 403
    async with client.get("/api/v1/audit/check", headers=ADA) as answer:
        assert await answer.json() == {"number": 5, "hash": audit.head(queries.store.db)[1], "first_broken": None}


async def test_the_same_request_with_the_same_key_is_done_once(
    client: Client, queries: FakeQueries, commands: FakeCommands,
) -> None:
    first = await post(client, REDEPLOY, {**ADA, **KEY})
    again = await post(client, REDEPLOY, {**ADA, **KEY})
    assert (first[0], first[2]) == (202, False)
    assert again == (202, first[1], True)
    assert len(commands.asked) == len(noted(queries)) == 1
    assert (await post(client, REDEPLOY, {**ADA, "Idempotency-Key": "k-2"}))[1]["id"] == first[1]["id"] + 1


async def test_a_key_stands_for_one_request_of_one_caller(client: Client, commands: FakeCommands) -> None:
    blog = "/api/v1/projects/blog/environments/main/rollback"
    assert (await post(client, blog, {**ADA, **KEY}, {"to": 1}))[0] == 202
    for path, body in ((blog, {"to": 2}), (blog + "?x=1", {"to": 1}), (REDEPLOY, {"to": 1})):
        status, told, _ = await post(client, path, {**ADA, **KEY}, body)
        assert (status, told["code"]) == (422, "key-reused")
    assert (await post(client, blog, {**CARL, **KEY}, {"to": 1}))[2] is False
    assert len(commands.asked) == 2


async def test_what_was_refused_may_be_asked_again_with_its_key(client: Client, commands: FakeCommands) -> None:
    commands.refusal = DeployError("nothing is live")
    assert (await post(client, REDEPLOY, {**ADA, **KEY}))[0] == 409
    commands.refusal = None
    assert (await post(client, REDEPLOY, {**ADA, **KEY}))[0] == 202


async def test_a_bug_is_not_tried_twice(client: Client, commands: FakeCommands) -> None:
    commands.refusal = cast(Any, ZeroDivisionError())
    assert (await post(client, REDEPLOY, {**ADA, **KEY}))[1]["code"] == "incident"
    commands.refusal = None
    status, told, repeated = await post(client, REDEPLOY, {**ADA, **KEY})
    assert (status, told["code"], repeated) == (500, "incident", True)


async def test_two_at_once_are_done_once(client: Client, commands: FakeCommands) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(post(client, REDEPLOY, {**ADA, **KEY})) for _ in range(20)]
    statuses = [task.result()[0] for task in asked]
    assert set(statuses) <= {202, 409}
    assert len(commands.asked) == 1


async def test_while_the_first_is_done_the_second_is_told_so(client: Client, queries: FakeQueries) -> None:
    await post(client, REDEPLOY, {**ADA, **KEY})
    queries.store.db.execute("UPDATE repeats SET status = 0")
    status, told, _ = await post(client, REDEPLOY, {**ADA, **KEY})
    assert (status, told["code"]) == (409, "in-flight")
    assert repeats.forget_unanswered(queries.store.db) == 1
    assert (await post(client, REDEPLOY, {**ADA, **KEY}))[0] == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb"])
async def test_what_is_no_key_is_refused(client: Client, commands: FakeCommands, key: str) -> None:
    assert (await post(client, REDEPLOY, {**ADA, "Idempotency-Key": key}))[0] == 400
    assert commands.asked == []


async def test_what_has_not_changed_is_not_sent_again(client: Client, queries: FakeQueries) -> None:
    for path in ("/api/v1/activities", "/api/v1/environments", "/api/v1/activities/1"):
        async with client.get(path, headers=ADA) as answer:
            tag = answer.headers["ETag"]
        for known, status in ((tag, 304), (f'W/{tag}', 304), ('"other"', 200), (f'"other", {tag}', 304)):
            async with client.get(path, headers={**ADA, "If-None-Match": known}) as answer:
                assert answer.status == status
                assert answer.headers["ETag"] == tag
    async with client.get("/api/v1/activities", headers=ADA) as answer:
        tag = answer.headers["ETag"]
    queries.known.append(activity(9))
    async with client.get("/api/v1/activities", headers={**ADA, "If-None-Match": tag}) as answer:
        assert answer.status == 200
    async with client.get("/api/v1/activities", headers={**CARL, "If-None-Match": tag}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("tag", ["x", '"', "W/", '"a" "b"', "*"])
async def test_a_tag_that_is_none_does_no_harm(client: Client, tag: str) -> None:
    async with client.get("/api/v1/activities", headers={**ADA, "If-None-Match": tag}) as answer:
        assert answer.status in (200, 304)


async def test_activities_are_read_in_pages(client: Client) -> None:
    async with client.get("/api/v1/activities?limit=2&project=shop", headers=ADA) as answer:
        told = await answer.json()
        assert ([item["id"] for item in told["items"]], told["next"]) == ([3, 1], None)
    async with client.get("/api/v1/activities?limit=2", headers=ADA) as answer:
        told = await answer.json()
        assert ([item["id"] for item in told["items"]], told["next"]) == ([3, 2], 2)
        assert answer.links["next"]["url"].query["before"] == "2"
    async with client.get("/api/v1/activities?limit=0", headers=ADA) as answer:
        assert await answer.json() == {"items": [], "next": None}
