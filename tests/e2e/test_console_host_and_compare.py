"""The page of the host, and comparisons, in a browser and of a real daemon."""

from __future__ import annotations

import asyncio

import aiohttp
from playwright.async_api import Browser
from yarl import URL

from tests.e2e.test_console import HOSTILE, Visitor, browser
from tests.support.developer import APP, MakeDeveloper

__all__ = ["browser"]
CRON = "crons:\n  nightly:\n    spec: '0 1 * * *'\n    commands:\n      start: echo tidy\n"


async def test_an_operator_sees_how_the_host_is(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.push("hosted")
    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me)
    await person.follow("Host")
    assert await person.page.title() == "Host · deployd"
    slots = await person.page.inner_text("#slots")
    assert "0 of" in slots
    async with asyncio.timeout(60):   # by itself, some seconds after the daemon's start
        await person.page.get_by_role("row").filter(has_text="slugs").wait_for()
    assert "images" in await person.page.inner_text("#disk")
    assert "foretold when it was watched for a day" in await person.page.inner_text("#disk")
    await person.is_fit_for_everybody()
    async with aiohttp.ClientSession() as session, session.get(
        f"{me.daemon.api}/api/v1/host", headers={"Authorization": f"Bearer {me.daemon.token}"},
    ) as answer:
        told = await answer.json()
    assert {"slug", "image", "other"} <= {item["kind"] for item in told["disk"]["kinds"]}
    assert told["disk"]["forecast"] is None
    assert person.complaints == []
    await context.close()


async def test_a_person_compares_what_is_live_with_what_was(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.push("compared")
    await me.write({"text": "second", "new.txt": "12345", ".platform.app.yaml": f"{APP}{CRON}"}, f"Second {HOSTILE}")
    await me.push("compared")
    context = await browser.new_context(java_script_enabled=False)
    person = Visitor(await context.new_page())
    await person.page.goto(f"{me.daemon.api}/?q=compared")
    await person.page.get_by_label("Token").fill(me.daemon.token)
    await person.page.get_by_role("button", name="Sign in").click()
    row = person.page.get_by_role("row").filter(has_text="compared")
    await row.get_by_role("link", name="push ").click()
    second = int(URL(person.page.url).name)
    await person.page.get_by_role("link", name="What it changed").click()
    assert "B is later: it has all commits of A." in await person.page.inner_text("main")
    await person.page.get_by_role("link", name="Environment").first.click()
    first = max(number for number in await _versions(me.daemon.api, me.daemon.token) if number < second)
    await person.page.get_by_role("link", name=f"Compare {first} with what is live").click()
    said = await person.page.inner_text("main")
    assert "B is later: it has all commits of A." in said
    assert f"Second {HOSTILE}" in said
    assert "app: nightly" in said
    assert "+crons:" in said
    await person.page.get_by_role("link", name="Which files differ").click()
    files = await person.page.get_by_role("table", name="Files of app that differ").inner_text()
    for line in ("added\tnew.txt\t\t5", "changed\ttext\t5\t6"):
        assert line in files
    assert [said for said in person.complaints if "401" not in said] == []
    await context.close()

    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me, f"/compare?a={first}&b=console/compared&files=1")
    await person.is_fit_for_everybody()
    await person.page.goto(f"{me.daemon.api}/compare?a=console/nothing&b=1")
    assert "has no environment nothing" in await person.page.inner_text("main")
    await context.close()


async def _versions(api: str, token: str) -> list[int]:
    """Activities of the environment, newest first."""
    async with aiohttp.ClientSession() as session, session.get(
        f"{api}/api/v1/activities?project=console&environment=compared",
        headers={"Authorization": f"Bearer {token}"},
    ) as answer:
        return [item["id"] for item in (await answer.json())["items"]]
