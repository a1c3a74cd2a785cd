"""Pages of tickets: what an approver sees, what the form carries, and what nobody else can press."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from deployd.access.directory import Directory
from deployd.access.roles import Role
from deployd.state import audit
from tests.doubles.api import environment
from tests.doubles.tickets import DIGEST, ticket
from tests.support.page import Page
from tests.unit.console.test_console_sign_in import Client, World

ONE = "/tickets/1"
PROMOTE = "/projects/shop/environments/main-bvxea6i/promote"


class TicketsWorld(World):
    """With a token for each role."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.queries.running = [environment("shop", branch="production", protected=True, ticket=1)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TicketsWorld:
    real = Directory.__init__

    def with_roles(self: Directory, tokens: Any, now: Any) -> None:
        from deployd.settings import Token

        more = [Token.model_validate({"name": role.value, "role": role.value, "secret": f"the-secret-of-{role.value}"})
                for role in Role]
        real(self, (*tokens, *more, Token.model_validate(
            {"name": "ada", "role": "approver", "secret": "the-secret-of-ada"})), now)

    monkeypatch.setattr(Directory, "__init__", with_roles)
    return TicketsWorld(tmp_path)


@pytest_asyncio.fixture
async def client(world: TicketsWorld) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=CookieJar(unsafe=True)) as made:
        yield made


async def sign_in(client: Client, who: str) -> None:
    await client.post("/sign-in", data={"token": f"the-secret-of-{who}"}, allow_redirects=False)


async def text_of(client: Client, path: str) -> str:
    return await (await client.get(path)).text()


async def press(client: Client, page: str, to: str, **fields: str) -> Any:
    found = re.search(r'name="csrf" value="([^"]+)"', await text_of(client, page))
    assert found is not None
    return await client.post(to, data={"csrf": found.group(1), **fields}, allow_redirects=False)


async def test_an_approver_sees_what_goes_live_and_approves_exactly_that(client: Client, world: TicketsWorld) -> None:
    await sign_in(client, "approver")
    page = await text_of(client, ONE)
    said = Page(page).said
    for text in ("Mend the <b>door</b>", "the one that is live on main, byte by byte", "env:HOST",
                 "production needs 1 approval", "Grace <grace@shop.test>", DIGEST, "by ada"):
        assert text in said
    assert "<b>door</b>" not in page
    assert f'name="digest" value="{DIGEST}"' in page
    assert "Open the gate" not in said
    done = await press(client, ONE, f"{ONE}/approve", digest=DIGEST, comment="well done")
    assert (done.status, done.headers["Location"]) == (303, ONE)
    assert world.queries.tickets.asked == [("approve", 1, DIGEST, "approver", "well done")]
    deed = audit.newest(world.store.db)[0].deed
    assert (deed.who, deed.by, deed.action) == ("approver", "console", "tickets approve")
    assert f"ticket 1: 48c43b99 of main to production; digest {DIGEST}" in deed.said


async def test_a_form_of_an_old_page_approves_nothing(client: Client, world: TicketsWorld) -> None:
    await sign_in(client, "approver")
    answer = await press(client, ONE, f"{ONE}/approve", digest="0" * 32)
    assert answer.status == 409
    assert "is not what you looked at" in Page(await answer.text()).said
    assert world.queries.tickets.known[0].approvals == ()


async def test_who_asked_is_told_that_somebody_else_approves(client: Client) -> None:
    await sign_in(client, "ada")
    page = await text_of(client, ONE)
    assert "It is yours: somebody else approves it." in Page(page).said
    assert "/approve" not in page
    assert "/withdraw" in page


@pytest.mark.parametrize(("who", "allowed"), [
    ("viewer", set()), ("contributor", {"schedule", "withdraw"}),
    ("approver", {"schedule", "withdraw", "approve", "decline"}),
    ("admin", {"schedule", "withdraw", "approve", "decline", "emergency"}),
])
async def test_nobody_presses_more_than_their_role_does(
    client: Client, world: TicketsWorld, who: str, allowed: set[str],
) -> None:
    await sign_in(client, who)
    pressed = set()
    for name in ("approve", "decline", "withdraw", "schedule", "emergency"):
        answer = await press(client, "/sessions", f"{ONE}/{name}", digest=DIGEST, reason="why")
        assert answer.status in (303, 403)
        pressed |= {name} if answer.status == 303 else set()
    assert pressed == allowed
    assert {str(item[0]) for item in world.queries.tickets.asked} == allowed


async def test_an_emergency_is_shown_in_red_and_an_ended_ticket_has_no_forms(
    client: Client, world: TicketsWorld,
) -> None:
    world.queries.tickets.known = [
        ticket(1, emergency_by="eve", emergency_why="<it burns>", is_open=False, state="done", obstacles=()),
    ]
    await sign_in(client, "admin")
    page = await text_of(client, ONE)
    assert '<p class="note bad"><strong>Emergency.</strong> eve opened the gate' in page
    assert "&lt;it burns&gt;" in page
    assert "<form method=\"post\" action=\"/tickets" not in page
    assert "emergency" in Page(await text_of(client, "/tickets?all=1")).said


async def test_the_list_and_the_button_lead_there(client: Client) -> None:
    await sign_in(client, "contributor")
    said = Page(await text_of(client, "/tickets")).said
    assert "production of shop" in said
    assert "production needs 1 approval" in said
    page = await text_of(client, "/projects/shop/environments/main-bvxea6i")
    assert f'href="{PROMOTE}"' in page
    assert 'href="/tickets/1"' in page
    assert "Delete…" not in page
    assert (await client.get("/tickets/99")).status == 404
    assert (await client.get("/tickets/x")).status == 404


async def test_a_promotion_is_looked_at_and_asked_for_as_it_was_looked_at(client: Client, world: TicketsWorld) -> None:
    await sign_in(client, "contributor")
    page = await text_of(client, f"{PROMOTE}?source=main")
    said = Page(page).said
    for text in ("staging → production", "production needs 1 approval", "ticket 1", "is not carried along"):
        assert text in said
    assert "it cannot wait" not in said
    done = await press(client, f"{PROMOTE}?source=main", PROMOTE, source="main", commit="48c43b99" * 5,
                       comment="the sale", at="2026-12-01T06:00")
    assert (done.status, done.headers["Location"]) == (303, "/tickets/2")
    asking = world.queries.tickets.asked[-1][-1]
    assert (asking.seen, asking.comment) == ("48c43b99" * 5, "the sale")
    assert asking.not_before.isoformat() == "2026-12-01T06:00:00+00:00"
    burns = await press(client, PROMOTE, PROMOTE, source="main", emergency="it burns")
    assert burns.status == 403
    wrong = await press(client, PROMOTE, PROMOTE, source="main", at="soon")
    assert wrong.status == 400
