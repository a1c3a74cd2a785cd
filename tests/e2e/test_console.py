"""The console as a person uses it: in Debian's chromium, with the keyboard, on what was really pushed and visited."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright
from yarl import URL

from tests.support.developer import APP, Developer, MakeDeveloper

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]
NARROW, WIDE = 360, 1440
HOSTILE = "\"'><script>document.title='hacked'</script><img src=x onerror=alert(1)>"
MOST_TABS = 60
"""Presses of the key; no page has so many links and fields."""
FOCUS = """() => {
    const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect()
    return {
        text: (it.labels && it.labels.length ? it.labels[0].innerText : it.innerText).trim(),
        id: it.id, href: it.getAttribute("href") || "",
        shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0,
    }
}"""


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


class Visitor:
    """A person before a page, with a keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        """What the browser said against a page: what its policy forbids, what it could not load."""
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    async def tab_to(self, text: str, href: str = "") -> None:
        """Press Tab until a link or field of this name has the focus; it is to be seen at every stop."""
        for _ in range(MOST_TABS):
            await self.page.keyboard.press("Tab")
            found = await self.page.evaluate(FOCUS)
            assert found["shown"], f"the focus cannot be seen on {found}"
            if found["text"] == text and href in found["href"]:
                return
        raise AssertionError(f"the keyboard does not reach {text}")

    async def sign_in(self, me: Developer, path: str = "/") -> None:
        """By the keyboard; then the page is there that was asked for."""
        await self.page.goto(me.daemon.api + path)
        assert (await self.page.evaluate(FOCUS))["text"] == "Token"
        await self.page.keyboard.type(me.daemon.token)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")
        # The answer to a page without a token is no fault, but Chromium says so.
        self.complaints = [said for said in self.complaints if "401" not in said]

    async def follow(self, text: str, href: str = "") -> None:
        """Go where a link leads, by the keyboard."""
        await self.tab_to(text, href)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")

    async def is_fit_for_everybody(self) -> None:
        """What axe-core finds, in both colours; nothing lies beside a narrow or a wide screen."""
        for scheme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=scheme)   # type: ignore[arg-type]
            for width in (NARROW, WIDE):
                await self.page.set_viewport_size({"width": width, "height": 900})
                found = (await Axe().run(self.page)).response
                told = [(item["id"], item["help"], item["nodes"][0]["html"]) for item in found["violations"]]
                assert told == [], f"{self.page.url} at {width}, {scheme}"
                assert len(found["passes"]) > 10
                assert await self.page.evaluate("document.documentElement.scrollWidth") <= width, self.page.url


async def visit(me: Developer, path: str, user_agent: str) -> None:
    """As somebody else, with any program."""
    url = URL(me.daemon.url(me.project, path=path), encoded=True)   # as it is: a browser would write %3C
    async with aiohttp.ClientSession() as session, session.get(
        url.with_host("127.0.0.1"), headers={"Host": url.authority, "User-Agent": user_agent},
    ) as answer:
        assert answer.status == 200


async def test_a_person_finds_an_environment_and_reads_who_visited_it(
    developer: MakeDeveloper, browser: Browser,
) -> None:
    me = await developer("console")
    await me.push()
    machine_name = URL(me.daemon.url("console")).host or ""
    await visit(me, "/<script>alert(1)</script>?q=<b>", HOSTILE)

    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me)
    row = person.page.get_by_role("row").filter(has_text=machine_name)
    assert "live" in await row.inner_text()
    assert "open" in await row.inner_text()
    async with person.page.expect_navigation():
        await row.get_by_role("link", name=machine_name).click()
    assert await person.page.inner_text("body") == "first on main"
    own_agent = await person.page.evaluate("navigator.userAgent")
    await person.page.goto(f"{me.daemon.url('console')}my-own-request")
    await person.page.goto(me.daemon.api)
    await person.is_fit_for_everybody()

    await person.tab_to("Skip to the content")
    await person.page.keyboard.press("Enter")
    assert (await person.page.evaluate(FOCUS))["id"] == "main"
    await person.follow("main", "/projects/console/")
    assert await person.page.title() == "main of console · deployd"
    assert "http://" in await person.page.get_by_role("table", name="Routes").inner_text()
    assert "push" in await person.page.get_by_role("table", name="Last activities").inner_text()
    await person.is_fit_for_everybody()

    await person.follow("Access log")
    async with asyncio.timeout(60):
        while "/my-own-request" not in await person.page.inner_text("main"):
            await asyncio.sleep(0.5)
            await person.follow("Load again")
    await person.is_fit_for_everybody()
    log = person.page.get_by_role("table", name="Requests, newest first")
    assert own_agent in await log.get_by_role("row").filter(has_text="/my-own-request").inner_text()
    assert HOSTILE in await log.inner_text()
    assert "/<script>alert(1)</script>?q=<b>" in await log.inner_text()

    await person.tab_to("Text in the path")
    await person.page.keyboard.type("OWN-request")
    async with person.page.expect_navigation():
        await person.page.keyboard.press("Enter")
    assert await log.get_by_role("row").count() == 2, "the head, and the one request"
    await person.tab_to("Load again every 5 s")
    await person.page.keyboard.press("Space")
    async with person.page.expect_navigation():
        await person.page.keyboard.press("Enter")
    async with person.page.expect_navigation(timeout=20_000):
        pass
    await person.follow("Stop loading again")
    assert URL(person.page.url).query.get("path") == "OWN-request"
    assert "follow" not in URL(person.page.url).query
    assert person.complaints == []
    await context.close()


async def test_a_person_sees_how_many_visitors_are_held(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.push("slow")
    await me.write({".platform.app.yaml": f"{APP}hooks:\n  deploy: sleep 8\n"})
    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me)
    row = person.page.get_by_role("row").filter(has_text=URL(me.daemon.url("console", "slow")).host or "")

    async with asyncio.TaskGroup() as group, asyncio.timeout(120):
        push = group.create_task(me.push("slow"))
        while "nobody waits" not in await row.inner_text():
            await person.page.reload()
        assert "deploying" in await row.inner_text()
        held = [group.create_task(me.page("slow")) for _ in range(3)]
        while "held 3 requests, the longest for" not in await row.inner_text():
            await person.page.reload()
    assert push.result().deployed
    assert [task.result()[0] for task in held] == [200, 200, 200]

    await person.page.reload()
    assert "open" in await row.inner_text()
    await person.follow("slow", "/projects/console/")
    figures = (await person.page.locator(".figures").inner_text()).split("\n")
    told = dict(zip(figures[::2], figures[1::2], strict=True))
    assert (told["Held now"], told["Released"], told["Expired"], told["Left"]) == ("0", "3", "0", "0")
    assert 1 < float(told["Longest wait"].removesuffix(" s")) < 20
    await context.close()


async def test_who_has_no_token_is_led_to_the_sign_in_and_back(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    context = await browser.new_context()
    person = Visitor(await context.new_page())
    answer = await person.page.goto(f"{me.daemon.api}/sessions?kept=yes")
    assert answer is not None
    assert answer.status == 401
    await person.is_fit_for_everybody()
    await person.page.keyboard.type("no-token-of-anybody")
    async with person.page.expect_navigation():
        await person.page.keyboard.press("Enter")
    assert "This token is not known" in await person.page.inner_text("main")
    await person.page.keyboard.type(me.daemon.token)
    async with person.page.expect_navigation():
        await person.page.keyboard.press("Enter")
    assert URL(person.page.url).path_qs == "/sessions?kept=yes"
    assert "this one" in await person.page.inner_text("main")
    [cookie] = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    await person.is_fit_for_everybody()

    other = await context.new_page()
    await other.goto(me.daemon.api)
    await person.tab_to("Sign out")
    async with person.page.expect_navigation():
        await person.page.keyboard.press("Enter")
    again = await other.reload()
    assert again is not None
    assert again.status == 401
    assert await context.cookies() == []
    await context.close()


async def test_a_push_is_watched_to_its_end_and_a_failure_read(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.push("watched")
    build = "echo plain; printf '\\033[31mred text\\033[0m <b>bold</b>\\n'; sleep 3; echo the end of it"
    await me.write({".platform.app.yaml": f"{APP}hooks:\n  build: |\n    {build}\n  deploy: exit 7\n"})
    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me, "/?q=watched")
    row = person.page.get_by_role("row").filter(has_text="watched")

    async with asyncio.TaskGroup() as group, asyncio.timeout(120):
        push = group.create_task(me.push("watched"))
        await row.get_by_text("deploying").wait_for()   # without loading the page again
        await row.get_by_text("build, for").wait_for()
        await row.get_by_role("link", name="push ").click()
        await person.page.get_by_text("red text").wait_for()
        assert not push.done(), "the log is on the page before the push is over"
        red = person.page.locator("#log .c-red")
        assert await red.inner_text() == "red text"
        assert "<b>bold</b>" in await person.page.inner_text("#log"), "nothing of a program is HTML"
        await person.page.get_by_text("That is all.").wait_for()
    assert not push.result().deployed
    log = await person.page.inner_text("#log")
    assert "the deploy hook of app ended with exit code 7" in log
    assert "hint:" in log
    assert "failed" in await person.page.inner_text("#facts")
    numbers = await person.page.eval_on_selector_all(
        "#log [id^=L]", "found => found.map(it => Number(it.id.slice(1)))",
    )
    assert numbers == list(range(1, len(numbers) + 1)), "without a gap, and none twice"
    assert await person.page.locator(".waterfall rect.bar.failed").count() > 0

    await person.page.reload()
    assert await person.page.inner_text("#log") == log
    await person.is_fit_for_everybody()
    line = await person.page.get_by_text("red text").locator("xpath=ancestor::li").get_attribute("id")
    await person.page.goto(f"{person.page.url}#{line}")
    await person.page.get_by_label("Text in a line").fill("BOLD")
    async with person.page.expect_navigation():
        await person.page.keyboard.press("Enter")
    assert await person.page.locator("ol.log li").count() == 1
    await person.is_fit_for_everybody()
    async with person.page.expect_download() as download:
        await person.page.get_by_role("link", name="Download as text").click()
    text = (await (await download.value).path()).read_text()
    assert "│ red text <b>bold</b>" in text
    assert person.complaints == []
    await context.close()


async def test_a_line_of_a_long_log_is_reached_by_its_address(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.write({".platform.app.yaml": f"{APP}hooks:\n  build: seq 1 3000; exit 1\n"})
    await me.push("long")
    for with_script in (True, False):
        context = await browser.new_context(java_script_enabled=with_script)
        page = await context.new_page()
        await page.goto(f"{me.daemon.api}/?q=long")
        await page.get_by_label("Token").fill(me.daemon.token)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("row").filter(has_text="long").get_by_role("link", name="push ").click()
        place = page.url
        assert await page.locator("#L50").count() == 0, "the end is shown"
        of_last = await page.locator("#log li.output a.n").last.get_attribute("href") or ""
        sent = [f"{me.daemon.api}{of_last}", *([f"{place}#L50"] if with_script else [])]
        for address in sent:
            await page.goto("about:blank")
            await page.goto(address)
            await page.locator("#log li:target").wait_for()
        if with_script:
            await Visitor(page).is_fit_for_everybody()
            await page.goto(f"{place}?from=1")
            await Visitor(page).is_fit_for_everybody()
        await page.get_by_role("link", name="The same again").click()
        assert "that of push" in await page.inner_text("main")
        assert await page.get_by_role("button", name="Push again long of console").count() == 1
        await context.close()


async def test_a_push_is_cancelled_with_javascript_off(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.write({".platform.app.yaml": f"{APP}hooks:\n  build: sleep 60\n"})
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(me.daemon.api)
    await page.get_by_label("Token").fill(me.daemon.token)
    await page.get_by_role("button", name="Sign in").click()
    async with asyncio.TaskGroup() as group, asyncio.timeout(120):
        push = group.create_task(me.push("cancelled"))
        while not await page.get_by_role("row").filter(has_text="cancelled").filter(has_text="in progress").count():
            await page.reload()
            await asyncio.sleep(0.2)
        await page.get_by_role("row").filter(has_text="cancelled").get_by_role("link", name="push ").click()
        await page.get_by_role("button", name="Cancel push").click()
    assert not push.result().deployed
    while "cancelled" not in await page.inner_text("#facts"):
        await page.reload()
    assert "by e2e" in await page.inner_text("#facts") or "cancelled by" in await page.inner_text("#facts")
    await context.close()


async def test_a_page_goes_on_by_itself_when_the_daemon_is_killed(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")
    await me.push("killed")
    hook = "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 1; done"
    await me.write({"text": "second", ".platform.app.yaml": f"{APP}hooks:\n  deploy: {hook}\n"})
    context = await browser.new_context()
    person = Visitor(await context.new_page())
    await person.sign_in(me, "/?q=killed")
    row = person.page.get_by_role("row").filter(has_text="killed")
    async with asyncio.TaskGroup() as group, asyncio.timeout(120):
        push = group.create_task(me.push("killed"))
        await row.get_by_text("hooks, for").wait_for()
        await row.get_by_role("link", name="push ").click()
        await person.page.get_by_text("line 2").wait_for()
        pid = me.daemon.running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await person.page.get_by_text("not current").wait_for()
        await me.daemon.start()
        await person.page.get_by_text("That is all.").wait_for()
        await push   # the pusher's connection broke with the daemon; the deployment goes on
    assert "success" in await person.page.inner_text("#facts")
    assert await person.page.inner_text("#connection") == ""
    numbers = await person.page.eval_on_selector_all(
        "#log [id^=L]", "found => found.map(it => Number(it.id.slice(1)))",
    )
    assert numbers == list(range(1, len(numbers) + 1)), "without a gap, and none twice"
    lines = await person.page.locator("#log li.output .t").all_inner_texts()
    said = [line.split()[-1] for line in lines if " line " in f" {line}"]
    assert said == [str(number) for number in range(1, 9)], "none twice, though two daemons read them"
    await context.close()
