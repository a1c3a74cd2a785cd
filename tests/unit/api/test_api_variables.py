"""Variables over the API: who may change which, and what is told of secrets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.tokens import caller_of, find_token
from deployd.activity.masking import Masker
from deployd.api.applications import Public, public_application
from deployd.commands.variables import At, Said
from deployd.http.callers import Callers
from deployd.settings import Token
from tests.doubles.api import FakeCommands, FakeQueries, api_of

Client = TestClient[web.Request, web.Application]
TOKENS = [Token.model_validate({"name": name, "role": role, "secret": f"secret-of-{name}", "projects": ["shop"]})
          for name, role in (("ada", "admin"), ("carl", "contributor"), ("vera", "viewer"))]
MAIN, PRODUCTION = "/api/v1/projects/shop/environments/main", "/api/v1/projects/shop/environments/production"
PROJECT = "/api/v1/projects/shop"
COLOUR = "variables/env:COLOUR"


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries([], {})


@pytest_asyncio.fixture
async def client(queries: FakeQueries) -> AsyncIterator[Client]:
    def find(authorization: str | None) -> Any:
        token = find_token(TOKENS, authorization)
        return caller_of(token) if token else None

    app = public_application(
        api_of(queries, FakeCommands(queries)), [], Public(Callers(find), mask=Masker().mask),
    )
    with capture_logs():
        async with TestClient(TestServer(app)) as opened:
            yield opened


async def ask(client: Client, method: str, path: str, who: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    sent = {"Authorization": f"Bearer secret-of-{who}", **headers}
    async with client.request(method, path, headers=sent, data=None if body is None else json.dumps(body)) as answer:
        return answer.status, await answer.json()


async def test_a_contributor_sets_those_of_an_environment(client: Client, queries: FakeQueries) -> None:
    body = {"value": "very-secret", "is_sensitive": True, "visible_build": False, "applications": ["app"]}
    status, made = await ask(client, "PUT", f"{MAIN}/{COLOUR}?new=1", "carl", body)
    assert (status, made["change"], made["variable"]["value"]) == (200, "created", None)
    said = Said(value="very-secret", sensitive=True, visible_build=False, applications=("app",))
    assert queries.variables.asked == [("put", At("shop", "main", "env:COLOUR"), said, "carl", True)]


@pytest.mark.parametrize("path", [PROJECT, PRODUCTION])
async def test_the_project_and_protected_environments_take_an_admin(
    client: Client, queries: FakeQueries, path: str,
) -> None:
    for method, more, body in (("PUT", "", {"value": "x"}), ("DELETE", "", None), ("POST", "/plan", {"value": "x"})):
        assert (await ask(client, method, f"{path}/{COLOUR}{more}", "carl", body))[0] == 403
    assert queries.variables.asked == []
    for method, more, body in (("PUT", "", {"value": "x"}), ("DELETE", "", None), ("POST", "/plan", {"value": "x"})):
        assert (await ask(client, method, f"{path}/{COLOUR}{more}", "ada", body))[0] == 200
    assert [item[0] for item in queries.variables.asked] == ["put", "delete", "plan"]


async def test_whose_child_a_protected_environment_is_takes_an_admin(client: Client, queries: FakeQueries) -> None:
    for path, who, body, status in (
        (PRODUCTION, "carl", {"parent": "main"}, 403), (PRODUCTION, "carl", {"parent": ""}, 403),
        (PRODUCTION, "carl", {"title": "New"}, 200), (PRODUCTION, "ada", {"parent": "main"}, 200),
        (MAIN, "carl", {"parent": "next"}, 200),
    ):
        assert (await ask(client, "POST", f"{path}/describe", who, body))[0] == status, (path, who, body)


async def test_a_viewer_neither_reads_nor_guesses_them(client: Client, queries: FakeQueries) -> None:
    for method, path in (
        ("GET", f"{MAIN}/variables"), ("GET", f"{PROJECT}/variables"), ("GET", f"{MAIN}/{COLOUR}"),
        ("PUT", f"{MAIN}/{COLOUR}"), ("DELETE", f"{MAIN}/{COLOUR}"), ("POST", f"{MAIN}/{COLOUR}/plan"),
    ):
        assert (await ask(client, method, path, "vera"))[0] == 403, path
    assert queries.variables.asked == []


async def test_the_audit_log_has_the_name_and_no_value(client: Client, queries: FakeQueries) -> None:
    await ask(client, "PUT", f"{MAIN}/{COLOUR}", "carl", {"value": "very-secret"})
    await ask(client, "PUT", f"{PROJECT}/{COLOUR}", "carl", {"value": "very-secret"})
    await ask(client, "POST", f"{MAIN}/{COLOUR}/plan", "carl", {"value": "very-secret"})
    deeds = await queries.audit.newest(None, limit=10)
    assert [(item.action, item.result) for item in deeds] == [("variables", "refused"), ("variables", "done")]
    assert "variable env:COLOUR; created" in deeds[1].said
    assert "very-secret" not in repr(deeds)
    store: Any = queries.store
    assert "very-secret" not in "".join(store.db.iterdump())


async def test_no_digest_of_what_may_be_secret_is_kept(client: Client, queries: FakeQueries) -> None:
    status, told = await ask(
        client, "PUT", f"{MAIN}/{COLOUR}", "carl", {"value": "x"}, **{"Idempotency-Key": "one"})
    assert (status, told["where"]) == (400, "Idempotency-Key")
    assert queries.variables.asked == []


@pytest.mark.parametrize(("path", "body"), [
    (f"{MAIN}/{COLOUR}?new=yes", {}), (f"{MAIN}/{COLOUR}", {"value": 3}), (f"{MAIN}/{COLOUR}", {"is_secret": True}),
    (f"{MAIN}/{COLOUR}", {"value": "very-secret", "is_json": "very-secret"}),
])
async def test_what_means_nothing_is_refused_without_saying_a_value(client: Client, path: str, body: Any) -> None:
    status, told = await ask(client, "PUT", path, "carl", body)
    assert status == 400
    assert "very-secret" not in json.dumps(told)
