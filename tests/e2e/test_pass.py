"""An operator looks at the new version while its deploy hook runs and visitors wait."""

from __future__ import annotations

import asyncio

import aiohttp
from yarl import URL

from tests.chaos.faulty import APP, held, until
from tests.e2e.conftest import Developer, MakeDeveloper

LIMIT_SECONDS = 120.0


async def test_who_opens_the_link_sees_the_new_version_before_visitors_do(developer: MakeDeveloper) -> None:
    me = await developer("passes", files={".platform.app.yaml": APP})
    assert (await me.push()).deployed
    await me.write({"text": "second", "waits": ""})
    async with me.daemon.session() as session, session.post(
        "/api/v1/projects/passes/environments/main/pass",
    ) as answer:
        [link] = (await answer.json())["links"]
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(me.push())
        visitor = group.create_task(_page_when_held(me))
        await until(lambda: held(me), "a visitor waits")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            host, url = {"Host": URL(link).authority}, URL(link).with_host("127.0.0.1")
            async with browser.get(url, headers=host, allow_redirects=False) as answer:
                assert answer.status == 303
            async with browser.get(url.with_path("/"), headers=host) as answer:
                assert await answer.text() == "second on main"
        assert not visitor.done()
        (next(me.daemon.directory.glob("var/state/environments/passes/*/volumes/app/data")) / "go-second").touch()
    assert pushing.result().deployed
    assert visitor.result() == (200, "second on main")


async def _page_when_held(me: Developer) -> tuple[int, str]:
    """The page for a visitor who comes again and again, until one visit had to wait."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            began = asyncio.get_running_loop().time()
            found = await me.page()
            if asyncio.get_running_loop().time() - began > 0.5:
                return found
            await asyncio.sleep(0.05)
