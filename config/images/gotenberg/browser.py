"""Chromium, driven over its protocol for developers: one process, and for each request a context of its own in it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from forms import Page, Wrong, fails

PORT = 9223
ARGUMENTS = (
    "chromium-headless-shell", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
    "--disable-extensions", "--disable-background-networking", "--disable-sync", "--user-data-dir=/tmp/profile",
    f"--remote-debugging-port={PORT}", "about:blank",
)
START_SECONDS, IDLE_SECONDS = 30.0, 20.0
LARGEST_MESSAGE = 1 << 29


class Failed(Exception):
    """Chromium does not do it."""


class Browser:
    """One connection with one process. When that ends, so does whoever waits for an answer."""

    def __init__(self, process: asyncio.subprocess.Process, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._process, self._socket = process, socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._heard: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self.ended = asyncio.Event()

    async def ask(self, method: str, session: str = "", **arguments: Any) -> dict[str, Any]:
        """
        Raises:
            Failed: It says no, or has ended.
        """
        if self.ended.is_set():
            raise Failed("Chromium has ended")
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_json({
                "id": number, "method": method, "params": arguments, **({"sessionId": session} if session else {}),
            })
            return await answer
        except ConnectionError:
            raise Failed("Chromium has ended") from None
        finally:
            self._answers.pop(number, None)

    def hear(self, session: str, who: Callable[[str, dict[str, Any]], None]) -> None:
        self._heard[session] = who

    def forget(self, session: str) -> None:
        self._heard.pop(session, None)

    async def run(self) -> None:
        """Until it ends."""
        try:
            async for message in self._socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    self._take(message.json())
        finally:
            self.ended.set()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Failed("Chromium has ended"))

    def _take(self, said: dict[str, Any]) -> None:
        answer = self._answers.get(said.get("id", 0))
        if answer is not None and not answer.done():
            if "error" in said:
                answer.set_exception(Failed(str(said["error"].get("message"))))
            else:
                answer.set_result(said.get("result", {}))
        elif (who := self._heard.get(said.get("sessionId", ""))) is not None:
            who(said["method"], said.get("params", {}))

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()


@asynccontextmanager
async def running() -> AsyncIterator[Browser]:
    """Started, and ended at last."""
    process = await asyncio.create_subprocess_exec(*ARGUMENTS)
    try:
        async with aiohttp.ClientSession() as client:
            address = await _address(client)
            async with client.ws_connect(address, max_msg_size=LARGEST_MESSAGE, heartbeat=None) as socket:
                browser = Browser(process, socket)
                reading = asyncio.ensure_future(browser.run())   # noqa: TID251  ended below
                try:
                    yield browser
                finally:
                    reading.cancel()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _address(client: aiohttp.ClientSession) -> str:
    async with asyncio.timeout(START_SECONDS):
        while True:
            with suppress(aiohttp.ClientError):
                async with client.get(f"http://127.0.0.1:{PORT}/json/version") as answer:
                    return str((await answer.json(content_type=None))["webSocketDebuggerUrl"])
            await asyncio.sleep(0.05)


class Tab:
    """A page in a context of its own: it has nobody else's cookies, and files of its own folder alone."""

    def __init__(self, browser: Browser, session: str, folder: str) -> None:
        self._browser, self._session, self._folder = browser, session, folder
        self._events: set[str] = set()
        self._happened = asyncio.Condition()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._status = 0
        self._exception = ""

    async def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        return await self._browser.ask(method, self._session, **arguments)

    def heard(self, method: str, said: dict[str, Any]) -> None:
        if method == "Fetch.requestPaused":
            self._do(self._decide(said))
        elif method == "Page.lifecycleEvent":
            self._events.add(said["name"])
            self._do(self._tell())
        elif method == "Network.responseReceived" and said.get("type") == "Document":
            self._status = self._status or int(said["response"]["status"])
        elif method == "Runtime.exceptionThrown":
            self._exception = str(said["exceptionDetails"].get("text", ""))

    def _do(self, what: Any) -> None:
        task = asyncio.ensure_future(what)   # noqa: TID251  short, and its answer is nobody's
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._happened:
            self._happened.notify_all()

    async def _decide(self, said: dict[str, Any]) -> None:
        with suppress(Failed):
            if may_load(said["request"]["url"], self._folder):
                await self.ask("Fetch.continueRequest", requestId=said["requestId"])
            else:
                await self.ask("Fetch.failRequest", requestId=said["requestId"], errorReason="AccessDenied")

    async def open(self, url: str, page: Page) -> None:
        """
        Raises:
            Wrong: It cannot be opened, or its status or an exception fails it.
        """
        for domain in ("Page", "Network", "Runtime"):
            await self.ask(f"{domain}.enable")
        await self.ask("Fetch.enable", patterns=[{"urlPattern": "file:*"}, {"urlPattern": f"*:{PORT}*"}])
        await self.ask("Page.setLifecycleEventsEnabled", enabled=True)
        if page.headers:
            await self.ask("Network.setExtraHTTPHeaders", headers=page.headers)
        if page.agent:
            await self.ask("Network.setUserAgentOverride", userAgent=page.agent)
        if page.media:
            await self.ask("Emulation.setEmulatedMedia", media=page.media)
        if page.omit_background:
            await self.ask("Emulation.setDefaultBackgroundColorOverride", color={"r": 0, "g": 0, "b": 0, "a": 0})
        if page.cookies:
            await self.ask("Network.setCookies", cookies=page.cookies)
        self._events.clear()
        opened = await self.ask("Page.navigate", url=url)
        if opened.get("errorText"):
            raise Wrong(f"the page cannot be opened: {opened['errorText']}")
        await self._wait_until("load")
        if page.wait_idle:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._wait_until("networkIdle")
        await self._wait_for(page)
        if self._status and fails(page, self._status):
            raise Wrong(f"the page answers {self._status}")
        if page.fail_on_exceptions and self._exception:
            raise Wrong(f"the page has an exception: {self._exception}")

    async def _wait_until(self, event: str) -> None:
        async with self._happened:
            await self._happened.wait_for(lambda: event in self._events or self._browser.ended.is_set())

    async def _wait_for(self, page: Page) -> None:
        if page.wait_seconds:
            await asyncio.sleep(page.wait_seconds)
        while page.wait_expression:
            said = await self.ask("Runtime.evaluate", expression=page.wait_expression, returnByValue=True)
            if said.get("result", {}).get("value") is True:
                return
            if "exceptionDetails" in said:
                raise Wrong("waitForExpression is no expression, or throws")
            await asyncio.sleep(0.1)

    async def pdf(self, arguments: dict[str, Any]) -> bytes:
        return base64.b64decode((await self.ask("Page.printToPDF", **arguments))["data"])

    async def picture(self, arguments: dict[str, Any], size: tuple[int, int]) -> bytes:
        width, height = size
        await self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                       mobile=False)
        return base64.b64decode((await self.ask("Page.captureScreenshot", **arguments))["data"])


def may_load(url: str, folder: str) -> bool:
    """Files of others and of the container are none of a page's business, nor is what Chromium is driven by: it names
    what others have open, and closes it for who asks."""
    found = urlsplit(url)
    if found.scheme == "file":
        return bool(folder) and _real(unquote(found.path)).startswith(folder + "/")
    try:
        return found.port != PORT
    except ValueError:
        return False


def _real(path: str) -> str:
    return os.path.realpath(path)


@asynccontextmanager
async def tab(browser: Browser, folder: str) -> AsyncIterator[Tab]:
    """
    Args:
        folder: Whose files it may read; empty: none.
    """
    context = (await browser.ask("Target.createBrowserContext"))["browserContextId"]
    try:
        target = (await browser.ask("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await browser.ask("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        found = Tab(browser, session, _real(folder) if folder else "")
        browser.hear(session, found.heard)
        try:
            yield found
        finally:
            browser.forget(session)
    finally:
        with suppress(Failed, TimeoutError):
            async with asyncio.timeout(5):
                await browser.ask("Target.disposeBrowserContext", browserContextId=context)
