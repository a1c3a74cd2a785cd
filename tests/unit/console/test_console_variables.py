"""The page of variables and that of operations: what is shown to whom, and what their forms do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from deployd.access.roles import Role
from deployd.commands.variables import At, Said
from deployd.state import audit
from tests.support.page import Page
from tests.unit.console.test_console_sign_in import DORA, VERA, Client, World, csrf, sign_in

ENVIRONMENT = "/projects/shop/environments/main-bvxea6i"
VARIABLES, OPERATIONS = f"{ENVIRONMENT}/variables", f"{ENVIRONMENT}/operations"
ON_MAIN = At("shop", "main-bvxea6i", "env:TOKEN")
FORM = {"level": "environment", "name": "env:TOKEN", "value": "very-secret", "sensitive": "yes", "do": "set"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=CookieJar(unsafe=True)) as made:
        yield made


async def test_the_page_shows_values_but_those_of_sensitive_ones(client: Client) -> None:
    await sign_in(client)
    text = await (await client.get(VARIABLES)).text()
    said = Page(text).said
    assert "env:COLOUR" in said
    assert "blue" in said
    assert "not shown" in said
    assert "hidden by a nearer one" in said
    assert ">the whole project</option>" not in text, "which is for admins"


async def test_a_viewer_sees_no_variable(client: Client) -> None:
    await sign_in(client, VERA)
    assert (await client.get(VARIABLES)).status == 403
    assert "/variables" not in await (await client.get(ENVIRONMENT)).text()


async def test_a_form_sets_one_and_says_what_that_does(client: Client, world: World) -> None:
    await sign_in(client)
    answer = await client.post(f"{VARIABLES}/set", data={"csrf": await csrf(client), **FORM, "visible_build": "no"})
    text = await answer.text()
    assert answer.status == 200
    assert world.queries.variables.asked == [
        ("put", ON_MAIN, Said(value="very-secret", sensitive=True, visible_build=False), "dora", None),
    ]
    said = Page(text).said
    assert "env:TOKEN was created" in said
    assert "main: builds app, now" in said
    assert "dev: starts app anew with the same slug, with its next deployment" in said
    assert "very-secret" not in text
    deed = audit.newest(world.store.db)[0].deed
    assert (deed.action, deed.result) == ("variables set", "done")
    assert "env:TOKEN" in deed.said
    assert "very-secret" not in "".join(world.store.db.iterdump())


async def test_a_plan_and_a_delete(client: Client, world: World) -> None:
    await sign_in(client)
    word = await csrf(client)
    await client.post(f"{VARIABLES}/set", data={"csrf": word, **FORM, "do": "plan", "keeps": "1"})
    await client.post(f"{VARIABLES}/delete", data={"csrf": word, **FORM, "do": "plan"})
    await client.post(f"{VARIABLES}/delete", data={"csrf": word, **FORM, "do": "delete"})
    assert world.queries.variables.asked == [
        ("plan", ON_MAIN, Said(sensitive=True), "dora", None), ("plan to delete", ON_MAIN, "dora"),
        ("delete", ON_MAIN, "dora"),
    ]


@pytest.mark.parametrize("wrong", [{"level": "project"}, {"level": "all"}, {"name": ""}, {"sensitive": "maybe"}])
async def test_what_one_may_not_or_what_means_nothing_is_refused(
    client: Client, world: World, wrong: dict[str, str],
) -> None:
    await sign_in(client)
    answer = await client.post(f"{VARIABLES}/set", data={"csrf": await csrf(client), **FORM, **wrong})
    assert answer.status in (400, 403)
    assert world.queries.variables.asked == []


async def test_a_value_that_was_typed_is_in_no_address_when_the_session_is_over(client: Client) -> None:
    text = await (await client.post(f"{VARIABLES}/set", data=FORM)).text()
    assert "env%3ATOKEN" in text
    assert "very-secret" not in text


@pytest.mark.parametrize(("token", "role"), [(VERA, Role.VIEWER), (DORA, Role.CONTRIBUTOR)])
async def test_an_operation_has_a_button_that_leads_to_its_log(
    client: Client, world: World, token: str, role: Role,
) -> None:
    await sign_in(client, token)
    text = await (await client.get(OPERATIONS)).text()
    assert "bin/clear all" in text
    answer = await client.post(
        f"{OPERATIONS}/run", data={"csrf": await csrf(client), "operation": "clear", "app": "app"},
        allow_redirects=False,
    )
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/activities/")
    who = "vera" if token == VERA else "dora"
    assert ("operation", "shop", "main-bvxea6i", "clear", "app", who, role) in world.queries.asked


async def test_a_source_operation_is_for_contributors(client: Client, world: World) -> None:
    await sign_in(client, VERA)
    assert 'action="/projects/shop/environments/main-bvxea6i/source-operations/run"' not in await (
        await client.get(OPERATIONS)).text()
    form = {"csrf": await csrf(client), "operation": "update"}
    assert (await client.post(f"{ENVIRONMENT}/source-operations/run", data=form)).status == 403
    await sign_in(client)
    assert "npm update" in await (await client.get(OPERATIONS)).text()
    form = {"csrf": await csrf(client), "operation": "update"}
    answer = await client.post(f"{ENVIRONMENT}/source-operations/run", data=form, allow_redirects=False)
    assert answer.status == 303
    assert ("source operation", "shop", "main-bvxea6i", "update", "dora") in world.queries.asked
