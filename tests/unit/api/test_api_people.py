"""Persons over the API: who may see and change what, and that nothing does more than what it is made with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.roles import EVERY, Role
from deployd.api.applications import Public, public_application
from deployd.http.callers import Callers
from tests.doubles.api import FakeCommands, FakeQueries, api_of

Client = TestClient[web.Request, web.Application]
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea anna@laptop"
PEOPLE = "/api/v1/people"


class World:
    def __init__(self) -> None:
        self.queries = FakeQueries([])
        self.commands = FakeCommands(self.queries)
        self.secrets: dict[str, str] = {}

    async def person(self, id_: str, roles: dict[str, Role], **token: Any) -> None:
        await self.commands.people.add(id_, "", "", roles)
        _, self.secrets[id_] = await self.commands.people.add_token(id_, "first", **token)


@pytest.fixture
def world() -> World:
    return World()


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[Client]:
    await world.person("root", {EVERY: Role.ADMIN})
    await world.person("anna", {"shop": Role.ADMIN, "blog": Role.VIEWER})
    await world.person("bert", {"shop": Role.CONTRIBUTOR})
    public = Public(Callers(world.queries.directory.by_header))
    app = public_application(api_of(world.queries, world.commands), [], public)
    with capture_logs():
        async with TestClient(TestServer(app)) as opened:
            yield opened


async def call(client: Client, world: World, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {world.secrets[who]}"}
    async with client.request(method, path, headers=headers, json=body) as answer:
        return answer.status, await answer.json()


async def test_everybody_learns_who_they_are(client: Client, world: World) -> None:
    status, me = await call(client, world, "bert", "GET", "/api/v1/me")
    assert (status, me["name"], me["by"], me["roles"]) == (200, "bert", "first", {"shop": "contributor"})
    assert [token["label"] for token in me["person"]["tokens"]] == ["first"]
    assert "digest" not in str(me)


async def test_an_admin_of_a_project_sees_roles_of_it_and_no_others_tokens(client: Client, world: World) -> None:
    status, told = await call(client, world, "anna", "GET", PEOPLE)
    assert status == 200
    seen = {person["id"]: person for person in told["items"]}
    assert seen["root"]["roles"] == {}
    bert = seen["bert"]
    assert (bert["roles"], bert["tokens"], bert["keys"]) == ({"shop": "contributor"}, None, None)
    assert seen["anna"]["tokens"] is not None
    assert (await call(client, world, "bert", "GET", PEOPLE))[0] == 403


@pytest.mark.parametrize(("who", "path", "body", "status"), [
    ("anna", "", {"id": "carl", "roles": {"shop": "viewer"}}, 201),
    ("anna", "", {"id": "carl", "roles": {"*": "viewer"}}, 403),
    ("anna", "", {"id": "carl", "roles": {"blog": "viewer"}}, 403),
    ("bert", "", {"id": "carl"}, 403),
    ("bert", "/bert/change", {"roles": {"shop": "admin"}}, 403),
    ("bert", "/bert/change", {"name": "Bert"}, 200),
    ("bert", "/anna/change", {"email": "bert@example.com"}, 403),
    ("anna", "/anna/change", {"roles": {"*": "admin"}}, 403),
    ("anna", "/bert/change", {"roles": {"shop": None}}, 200),
    ("anna", "/bert/change", {"name": "Me"}, 403),
    ("anna", "/bert/leave", None, 403),
    ("anna", "/bert/return", None, 403),
    ("root", "/bert/leave", None, 200),
    ("anna", "/bert/tokens", {"label": "mine"}, 403),
    ("anna", "/root/keys", {"key": LINE}, 403),
    ("anna", "/bert/tokens/remove", {"label": "first"}, 403),
    ("root", "/bert/tokens/remove", {"label": "first"}, 200),
    ("bert", "/bert/keys", {"key": LINE}, 201),
    ("bert", "/bert/keys", {"key": "ssh-dss AAAA"}, 400),
    ("bert", "/nobody/keys", {"key": LINE}, 403),
    ("root", "/nobody/keys", {"key": LINE}, 404),
    ("root", "", {"id": "anna"}, 409),
    ("root", "", {"id": "carl", "roles": {"shop": "owner"}}, 400),
    ("root", "", {"id": "carl", "roles": {"nothing": "viewer"}}, 400),
])
async def test_who_changes_what(client: Client, world: World, who: str, path: str, body: Any, status: int) -> None:
    assert (await call(client, world, who, "POST", f"{PEOPLE}{path}", body))[0] == status


async def test_nothing_that_is_made_does_more_than_what_it_is_made_with(client: Client, world: World) -> None:
    tokens = f"{PEOPLE}/anna/tokens"
    made, told = await call(client, world, "anna", "POST", tokens, {"label": "reader", "role": "viewer"})
    assert made == 201
    world.secrets["reader"] = told["secret"]
    for path, body in (("tokens", {"label": "more"}), ("tokens", {"label": "more", "role": "contributor"}),
                       ("keys", {"key": LINE})):
        status, refused = await call(client, world, "reader", "POST", f"{PEOPLE}/anna/{path}", body)
        assert (status, refused["code"]) == (403, "forbidden")
    assert (await call(client, world, "reader", "POST", tokens, {"label": "as good", "role": "viewer"}))[0] == 201
    assert (await call(client, world, "reader", "GET", PEOPLE))[0] == 403, "a token for reading manages nobody"


async def test_a_secret_is_never_an_answer_that_is_kept(client: Client, world: World) -> None:
    headers = {"Authorization": f"Bearer {world.secrets['anna']}", "Idempotency-Key": "once"}
    async with client.post(f"{PEOPLE}/anna/tokens", headers=headers, json={"label": "kept"}) as answer:
        assert answer.status == 400
        assert "a secret, and is kept nowhere" in (await answer.json())["what"]
    _, told = await call(client, world, "anna", "POST", f"{PEOPLE}/anna/tokens", {"label": "kept"})
    assert told["secret"] not in "\n".join(world.queries.store.db.iterdump())


async def test_who_left_is_nobody_from_the_next_request_on(client: Client, world: World) -> None:
    assert (await call(client, world, "bert", "GET", "/api/v1/me"))[0] == 200
    await call(client, world, "root", "POST", f"{PEOPLE}/bert/leave")
    assert (await call(client, world, "bert", "GET", "/api/v1/me"))[0] == 401


async def test_what_is_changed_is_in_the_audit_log(client: Client, world: World) -> None:
    await call(client, world, "root", "POST", f"{PEOPLE}/bert/leave")
    await call(client, world, "anna", "POST", f"{PEOPLE}/root/keys", {"key": LINE})
    _, told = await call(client, world, "root", "GET", "/api/v1/audit")
    assert [(deed["who"], deed["action"], deed["result"]) for deed in told["items"]] == [
        ("anna", "people keys", "refused"), ("root", "people leave", "done")]
    assert told["items"][1]["said"] == "person bert"
