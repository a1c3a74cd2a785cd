"""A whole day before the console by the keyboard alone, with its script and without."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Page
from yarl import URL

from tests.e2e.test_console import Visitor, browser
from tests.support.developer import APP, Developer, MakeDeveloper

__all__ = ["browser"]
PAGE = "/projects/console/environments/walked"
PARTS = """\
crons:
  tidy: {spec: '0 3 1 1 *', commands: {start: 'echo "tidied up"'}}
workers:
  ticker:
    commands:
      start: 'while true; do echo tick; sleep 1; done'
"""
FAILS = "hooks:\n  deploy: echo migrating; exit 7\n"
TAKES_LONG = "hooks:\n  deploy: echo begun; sleep 90\n"


class Walk:
    """Somebody with a keyboard. Without the script pages come anew by loading them."""

    def __init__(self, me: Developer, page: Page, with_script: bool) -> None:
        self.me, self.page, self._with_script = me, page, with_script
        self._person = Visitor(page)

    async def go(self, path: str) -> None:
        await self.page.goto(self.me.daemon.api + path)

    async def press(self, name: str, href: str = "") -> None:
        """A link or a button, reached by the keyboard."""
        await self._person.tab_to(name, href)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")

    async def waits_for(self, text: str, within: str = "main") -> str:
        async with asyncio.timeout(60):
            while text not in (found := await self.page.inner_text(within)):
                await asyncio.sleep(0.3)
                if not self._with_script:
                    await self.page.reload()
        return found


@pytest.mark.parametrize("with_script", [True, False], ids=["with its script", "without"])
async def test_everything_is_done_by_the_keyboard(
    developer: MakeDeveloper, browser: Browser, with_script: bool,
) -> None:
    me = await developer("console")
    await me.write({".platform.app.yaml": APP + PARTS})
    await me.push("walked")
    await me.write({"text": "second"}, "Say second")
    await me.push("walked")
    context = await browser.new_context(java_script_enabled=with_script)
    walk = Walk(me, await context.new_page(), with_script)
    await walk.go("/?q=walked")
    await walk.page.keyboard.type(me.daemon.token)
    async with walk.page.expect_navigation():
        await walk.page.keyboard.press("Enter")
    await _reads_why_a_push_failed(walk)
    await _cancels(walk)
    await _runs_a_cron_and_follows_a_log(walk)
    await _compares_and_reverts(walk)
    await context.close()


async def _reads_why_a_push_failed(walk: Walk) -> None:
    await walk.me.write({".platform.app.yaml": APP + PARTS + FAILS}, "Fail")
    async with asyncio.TaskGroup() as group:
        push = group.create_task(walk.me.push("walked"))
        await walk.waits_for("in progress")
        await walk.press(f"push {await _newest(walk)}")
        said = await walk.waits_for("push of walked failed")
    assert not push.result().deployed
    for told in ("migrating", "deploy hook of app ended with exit code 7", ".platform.app.yaml:", "hint:", "visitors"):
        assert told in said, told


async def _cancels(walk: Walk) -> None:
    await walk.me.write({".platform.app.yaml": APP + PARTS + TAKES_LONG}, "Take long")
    await walk.go("/?q=walked")
    async with asyncio.TaskGroup() as group:
        push = group.create_task(walk.me.push("walked"))
        await walk.waits_for("in progress")
        number = await _newest(walk)
        await walk.press(f"push {number}")
        await walk.waits_for("begun")
        await walk.press(f"Cancel push {number}")
        await walk.waits_for("cancelled", "#facts")
    assert not push.result().deployed


async def _runs_a_cron_and_follows_a_log(walk: Walk) -> None:
    await walk.go(f"{PAGE}/crons")
    await walk.press("Run tidy now")
    assert "tidied up" in await walk.waits_for("wanted by")
    await walk.go(f"{PAGE}/logs?of=worker:app--ticker&follow=1")
    before = (await walk.waits_for("tick")).count("tick\n")
    async with asyncio.timeout(30):   # without the script the page loads itself
        while (await walk.page.inner_text("main")).count("tick\n") <= before:
            await asyncio.sleep(0.5)


async def _compares_and_reverts(walk: Walk) -> None:
    await walk.go(PAGE)
    versions = walk.page.get_by_role("table", name="Versions")
    await versions.get_by_role("link", name="Compare").first.focus()
    async with walk.page.expect_navigation():
        await walk.page.keyboard.press("Enter")
    assert "Say second" in await walk.page.inner_text("main")
    await walk.go(PAGE)
    await versions.get_by_role("link", name="Revert to this").first.focus()
    async with walk.page.expect_navigation():
        await walk.page.keyboard.press("Enter")
    assert "stays as it is: databases" in await walk.page.inner_text("main")
    await walk.press("Revert walked of console")
    await walk.waits_for("success", "#facts")
    assert await walk.me.page("walked") == (200, "first on walked")


async def _newest(walk: Walk) -> int:
    row = walk.page.get_by_role("row").filter(has_text="walked")
    return int(URL(await row.get_by_role("link", name="push ").get_attribute("href") or "").name)
