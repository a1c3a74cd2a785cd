"""An operator looks at the new version while its deploy hook runs and visitors wait."""

from __future__ import annotations

import asyncio

from tests.support.developer import Developer, MakeDeveloper
from tests.support.waiting_hooks import APP, held, page_with, pass_of, until

LIMIT_SECONDS = 120.0


async def test_who_opens_the_link_sees_the_new_version_before_visitors_do(developer: MakeDeveloper) -> None:
    me = await developer("passes", files={".platform.app.yaml": APP})
    assert (await me.push()).deployed
    await me.write({"text": "second", "waits": ""})
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(me.push())
        async with asyncio.timeout(LIMIT_SECONDS):
            visitor = await _held_visitor(me, group)
        await until(lambda: held(me), "a visitor waits")
        assert await page_with(me, await pass_of(me)) == "second on main"
        assert not visitor.done()
        (next(me.daemon.directory.glob("var/state/environments/passes/*/volumes/app/data")) / "go-second").touch()
    assert pushing.result().deployed
    assert visitor.result() == (200, "second on main")


async def _held_visitor(me: Developer, group: asyncio.TaskGroup) -> asyncio.Task[tuple[int, str]]:
    """A visitor who comes again and again, until one visit has to wait: that one."""
    while True:
        visit = group.create_task(me.page())
        done, _ = await asyncio.wait({visit}, timeout=0.5)
        if not done:
            return visit
        await asyncio.sleep(0.05)
