"""Tickets over the API: who may ask, approve and open a gate, and what a request has to say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.tokens import caller_of, find_token
from deployd.api.applications import Public, public_application
from deployd.api.openapi import openapi
from deployd.api.routes import ROUTES
from deployd.http.callers import Callers
from deployd.settings import Token
from deployd.state import audit
from tests.doubles.api import FakeCommands, FakeQueries, activity, api_of
from tests.doubles.tickets import DIGEST, ticket
from tests.unit.api.test_api_routes import Client, get, post

ROLES = ("viewer", "contributor", "approver", "admin")
TOKENS = [
    *(Token.model_validate({"name": role, "role": role, "secret": f"the-secret-of-{role}"}) for role in ROLES),
    Token.model_validate({"name": "other", "role": "admin", "secret": "the-secret-of-other", "projects": ["blog"]}),
]
PLACE = "/api/v1/projects/shop/environments/production"
ONE = "/api/v1/tickets/1"


def by(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer the-secret-of-{role}"}


@pytest.fixture
def queries() -> FakeQueries:
    made = FakeQueries([activity(1)])
    made.tickets.known.append(ticket(2, "blog", is_open=False, state="done"))
    return made


@pytest_asyncio.fixture
async def client(queries: FakeQueries) -> AsyncIterator[Client]:
    def find(authorization: str | None) -> Any:
        token = find_token(TOKENS, authorization)
        return caller_of(token) if token else None

    app = public_application(api_of(queries, FakeCommands(queries)), [], Public(Callers(find)))
    with capture_logs():
        async with TestClient(TestServer(app)) as opened:
            yield opened


@pytest.mark.parametrize(("path", "body", "least", "status"), [
    (f"{PLACE}/promote", {"source": "main", "comment": "the sale"}, "contributor", 202),
    (f"{PLACE}/promote", {"emergency": "it burns"}, "admin", 202),
    (f"{ONE}/approve", {"digest": DIGEST}, "approver", 200),
    (f"{ONE}/decline", {"reason": "no"}, "approver", 200),
    (f"{ONE}/withdraw", {}, "contributor", 200),
    (f"{ONE}/schedule", {"at": "2026-12-01T06:00:00+01:00"}, "contributor", 200),
    (f"{ONE}/emergency", {"reason": "it burns"}, "admin", 200),
])
async def test_each_is_done_by_its_role_and_those_above_and_by_nobody_else(
    client: Client, queries: FakeQueries, path: str, body: dict[str, Any], least: str, status: int,
) -> None:
    for role in ROLES[:ROLES.index(least)]:
        assert (await post(client, path, body, by(role)))[0] == 403
    assert (await post(client, path, body, by("other")))[0] == 404   # of another project
    assert queries.tickets.asked == []
    assert (await post(client, path, body, by(least)))[0] == status
    [done] = queries.tickets.asked
    assert least in str(done)
    noted = audit.newest(queries.store.db)[0].deed
    assert (noted.who, noted.result, noted.action) == (least, "done", path.rsplit("/", 1)[1] if path.startswith(PLACE)
                                                       else f"tickets {path.rsplit('/', 1)[1]}")
    assert "48c43b99 of main to production" in noted.said
    assert ("EMERGENCY by" in noted.said) == ("emergency" in str(body) or path.endswith("emergency"))


async def test_an_old_digest_approves_nothing_and_the_refusal_is_noted(client: Client, queries: FakeQueries) -> None:
    status, told = await post(client, f"{ONE}/approve", {"digest": "0" * 32}, by("approver"))
    assert (status, told["code"]) == (409, "offer-changed")
    deed = audit.newest(queries.store.db)[0].deed
    assert (deed.result, deed.action, deed.said.startswith("ticket 1; ")) == ("refused", "tickets approve", True)


@pytest.mark.parametrize(("path", "body"), [
    (f"{ONE}/approve", {}), (f"{ONE}/approve", {"digest": ""}), (f"{ONE}/approve", {"digest": 1}),
    (f"{ONE}/approve", {"digest": "x" * 65}), (f"{ONE}/schedule", {"at": "tomorrow"}),
    (f"{ONE}/schedule", {"at": "2026-12-01T06:00:00"}), (f"{ONE}/decline", {"reason": "x" * 501}),
    (f"{PLACE}/promote", {"source": "--all"}), (f"{PLACE}/promote", {"source": "a b"}),
    (f"{PLACE}/promote", {"source": "a\nb"}), (f"{PLACE}/promote", {"stages": ["production"]}),
])
async def test_a_body_that_means_nothing_is_refused(
    client: Client, queries: FakeQueries, path: str, body: dict[str, Any],
) -> None:
    assert (await post(client, path, body, by("admin")))[0] == 400
    assert queries.tickets.asked == []


async def test_tickets_are_listed_and_narrowed_down_and_those_of_other_projects_are_not_there(client: Client) -> None:
    async def ids(query: str, role: str = "viewer") -> list[int]:
        return [item["id"] for item in (await get(client, f"/api/v1/tickets{query}", by(role)))[1]["items"]]

    assert await ids("") == [2, 1]
    assert await ids("?open=1") == [1]
    assert await ids("?project=blog") == [2]
    assert await ids("", "other") == [2]
    assert (await get(client, ONE, by("other")))[0] == 404
    assert (await get(client, "/api/v1/tickets/99", by("viewer")))[0] == 404
    assert (await get(client, "/api/v1/tickets/x", by("viewer")))[0] == 400


async def test_can_promote_answers_as_the_document_describes_it(client: Client, queries: FakeQueries) -> None:
    document = openapi(ROUTES, "1")
    status, told = await get(client, f"{PLACE}/can-promote?source=9f2c1e07", by("viewer"))
    jsonschema.validate(told, {**document["components"]["schemas"]["CanPromoteShape"], "components":
                               document["components"]})
    assert (status, told["obstacles"][0]["code"]) == (200, "approval-missing")
    assert queries.tickets.asked == [("can_promote", "shop", "production", "9f2c1e07")]
    status, told = await get(client, "/api/v1/projects/shop/environments/open/can-promote", by("viewer"))
    assert (status, told["code"]) == (409, "not-protected")
