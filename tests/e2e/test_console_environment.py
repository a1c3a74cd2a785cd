"""An environment steered from its page: what buttons say before they do it, crons run by hand, and output followed."""

from __future__ import annotations

import asyncio

from playwright.async_api import Browser, Page
from yarl import URL

from tests.e2e.test_console import Visitor, browser
from tests.support.developer import APP, Developer, MakeDeveloper

__all__ = ["browser"]
PAGE = "/projects/console/environments/"
CRONS = """\
crons:
  tidy: {spec: '0 3 1 1 *', commands: {start: 'echo "<b>tidied</b>"; exit 3'}}
workers:
  ticker:
    commands:
      start: 'while true; do echo "tick <i>tock</i>"; sleep 1; done'
mounts:
  var/files: {source: local, source_path: files}
"""


async def press(page: Page, name: str) -> None:
    async with page.expect_navigation():
        await page.get_by_role("button", name=name).click()


async def ends_well(page: Page) -> None:
    """The activity whose page this is."""
    async with asyncio.timeout(60):
        await page.locator("#facts").get_by_text("success").wait_for()


async def test_what_was_live_is_live_again_and_who_presses_second_is_told(
    developer: MakeDeveloper, browser: Browser,
) -> None:
    me = await developer("console")
    await me.push()
    await me.write({"text": "second"}, "Say second")
    await me.push()
    context = await browser.new_context()
    person, other = Visitor(await context.new_page()), Visitor(await context.new_page())
    await person.sign_in(me, f"{PAGE}main")
    page = person.page
    assert "Say second" in await page.inner_text("#facts")
    assert "python:3.13" in await page.locator(".drawing").inner_text()
    await person.is_fit_for_everybody()
    await other.page.goto(f"{me.daemon.api}{PAGE}main/confirm?do=redeploy")

    await person.follow("Revert…")
    versions = page.get_by_role("table", name="Versions")
    async with page.expect_navigation():
        await versions.get_by_role("link", name="Revert to this").first.click()
    said = await page.inner_text("main")
    assert "Say second" in said.split("\nto ", maxsplit=1)[0]
    assert "app: reuse (built before with the same input)" in said
    assert "stays as it is: databases" in said
    await person.is_fit_for_everybody()
    await person.tab_to("Revert main of console")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await ends_well(page)
    assert await me.page() == (200, "first on main")

    await press(other.page, "Redeploy main of console")
    assert "asked for rollback" in await other.page.inner_text("h1")
    await page.goto(f"{me.daemon.api}{PAGE}main")
    assert "rolled back to activity" in await page.inner_text("#facts")
    await person.follow("Unlock…")
    await person.is_fit_for_everybody()
    await press(page, "Unlock main of console")
    assert "Locked" not in await page.inner_text("#facts")
    await page.get_by_text("Lock…").click()
    await page.get_by_label("Why").fill("the sale <b>goes on</b>")
    await press(page, "Lock main")
    assert "the sale <b>goes on</b>" in await page.inner_text("#facts")
    await person.follow("Unlock…")
    await press(page, "Unlock main of console")
    assert [said for said in person.complaints if "409" not in said] == []
    await context.close()


async def test_an_environment_is_deleted_with_javascript_off(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.push("goes")
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{me.daemon.api}{PAGE}goes")
    await page.get_by_label("Token").fill(me.daemon.token)
    await press(page, "Sign in")
    await page.get_by_role("link", name="Delete…").click()
    assert "route removed" in await page.inner_text("main")
    await page.get_by_label("Type goes").fill("main")
    await press(page, "Delete goes of console")
    assert "nothing was deleted" in await page.inner_text("h1")
    await page.goto(f"{me.daemon.api}{PAGE}goes/confirm?do=delete")
    await page.get_by_label("Type goes").fill("goes")
    await press(page, "Delete goes of console")
    assert URL(page.url).path.startswith("/activities/")
    async with asyncio.timeout(60):
        while "success" not in await page.inner_text("#facts"):
            await asyncio.sleep(0.2)
            await page.reload()
    gone = await page.goto(f"{me.daemon.api}{PAGE}goes")
    assert gone is not None
    assert gone.status == 404
    assert (await me.page("goes"))[0] == 404
    await context.close()


async def crons_of(me: Developer) -> None:
    await me.write({".platform.app.yaml": APP + CRONS})
    await me.push("crons")


async def test_a_cron_is_run_by_hand_and_output_followed(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await crons_of(me)
    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me, f"{PAGE}crons/crons")
    page = person.page
    await person.tab_to("Run tidy now")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await page.get_by_text("exit code 3, wanted by").wait_for()   # without loading the page again
    assert "<b>tidied</b>" in await page.inner_text("details.run pre"), "nothing of a program is HTML"
    await person.is_fit_for_everybody()

    await page.goto(f"{me.daemon.api}{PAGE}crons/logs")
    await page.get_by_label("By").select_option("worker:app--ticker")
    await page.get_by_label("Follow what comes").check()
    await press(page, "Show")
    lines = page.locator("#printed tbody tr")
    before = await lines.count()
    async with asyncio.timeout(30):
        while await lines.count() < before + 3:
            await asyncio.sleep(0.2)
    assert set(await page.locator("#printed td.path").all_inner_texts()) == {"tick <i>tock</i>"}
    times = await page.locator("#printed td.time").all_inner_texts()
    assert times == sorted(times)
    await person.is_fit_for_everybody()

    await page.goto(f"{me.daemon.api}{PAGE}crons")
    assert "of app--ticker, local" in await page.locator(".drawing").inner_text()
    await me.page("crons")
    async with asyncio.timeout(60):
        await page.locator(".charts").wait_for()   # within a look of the log, and one of the page
    await page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
    await person.is_fit_for_everybody()
    assert person.complaints == []
    await context.close()
