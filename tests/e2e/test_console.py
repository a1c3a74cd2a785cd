"""The console as a person uses it: in Debian's chromium, with the keyboard, on what was really pushed and visited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, async_playwright
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

    context = await browser.new_context(http_credentials={"username": "anybody", "password": me.daemon.token})
    person = Visitor(await context.new_page())
    await person.page.goto(me.daemon.api)
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
    context = await browser.new_context(http_credentials={"username": "anybody", "password": me.daemon.token})
    person = Visitor(await context.new_page())
    await person.page.goto(me.daemon.api)
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


async def test_who_has_no_token_is_told_how_to_get_in(developer: MakeDeveloper, browser: Browser) -> None:
    me = await developer("console")

    async def without_its_question(route: Route) -> None:
        """A browser without a window cannot be asked for a password, and shows no page then."""
        answer = await route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "www-authenticate"}
        await route.fulfill(status=answer.status, headers=headers, body=await answer.body())

    context = await browser.new_context()
    await context.route("**/*", without_its_question)
    person = Visitor(await context.new_page())
    answer = await person.page.goto(me.daemon.api)
    assert answer is not None
    assert answer.status == 401
    assert "the password is a token" in await person.page.inner_text("main")
    await person.is_fit_for_everybody()
    await context.close()
