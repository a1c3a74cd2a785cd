"""`make screenshots`: the console as it looks, in docs/pictures, on a daemon of its own with real pushes.

Taken in Debian's Chromium, light and dark in the same moment. An hour of visitors is made up, with the same numbers
each time; everything else happened. Nothing of it is left afterwards.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Page, async_playwright

from deployd.upkeep.traffic_history import FILE, History
from scripts.local_daemon import ROOT, LocalDaemon, free_port, instance_of
from scripts.removal import remove_all
from scripts.repository import commit, copy_into, make_repository

SAMPLES, FOLDER, DIRECTORY = ROOT / "config" / "samples", ROOT / "docs" / "pictures", ROOT / "build" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]
WIDTH, HEIGHT, TALLEST = 1280, 700, 1120
SCHEMES = ("light", "dark")
USUAL_PORTS = (8480, 8080)
FAILS = ("echo migrating 12 tables", "printf '\\033[31mERROR\\033[0m: relation \"carts\" does not exist\\n'", "exit 3")
TAKES_LONG = (
    "php bin/migrate",
    "for table in products orders ratings carts; do",
    "    printf \"\\033[32mok\\033[0m   $table is up to date\\n\"; sleep 1",
    "done",
    "echo warming the cache; sleep 20",
)
SHOP = "/projects/shop/environments/main"
Pages = Mapping[str, Page]
"""{scheme: a browser's page that is signed in}"""


def say(text: str) -> None:
    print(f"screenshots: {text}", flush=True)


async def make(directory: Path, folder: Path) -> None:
    daemon = LocalDaemon(
        directory, {"shop": {"title": "Shop"}, "guestbook": {"title": "Guestbook"}},
        instance=instance_of(directory, "shots"), api_port=free_port(USUAL_PORTS[0]),
        http_port=free_port(USUAL_PORTS[1]),
        settings={"tokens": [{"name": "ada", "role": "admin", "secret": secrets.token_urlsafe(24)}]},
    )
    if directory.exists():
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    await daemon.start(limit_seconds=300)
    try:
        shop = await _push_all(daemon, directory)
        await _make_up_visitors(daemon)
        folder.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            pages = await _sign_in(stack, daemon, folder)
            await _take_what_is_over(daemon, pages, folder)
            await _take_what_goes_on(daemon, shop, pages, folder)
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
        shutil.rmtree(directory, ignore_errors=True)


async def _push_all(daemon: LocalDaemon, directory: Path) -> Path:
    """A shop with deployments, a stage and a branch whose hook fails, and a guestbook. Gives the shop's folder."""
    shop = directory / "repositories" / "shop"
    await make_repository(shop, SAMPLES / "shop", message="Open the shop")
    await _push(daemon, shop, "main")
    await copy_into(shop, SAMPLES / "shop-next")
    await commit(shop, "Show what others think of a lamp")
    await _push(daemon, shop, "main")
    await _push(daemon, shop, "staging")
    await commit(shop, "Let the cart survive a sign-in", allow_empty=True)
    await _push(daemon, shop, "main")
    await _with_hook(shop, FAILS, "Move carts to their own table")
    await _push(daemon, shop, "feature/carts")
    guestbook = directory / "repositories" / "guestbook"
    await make_repository(guestbook, SAMPLES / "guestbook", message="Open the guestbook")
    await _push(daemon, guestbook, "main")
    return shop


async def _push(daemon: LocalDaemon, repository: Path, branch: str) -> None:
    pushed = await daemon.push(repository, repository.name, branch=branch, on_line=lambda _: None, force=True)
    say(f"pushed {branch} of {repository.name}: {'live' if pushed.deployed else 'failed'}")


async def _with_hook(shop: Path, lines: Sequence[str], message: str) -> None:
    """Commit another deploy hook."""
    file = shop / ".magento.app.yaml"
    hook = "    deploy: |\n" + "".join(f"        {line}\n" for line in lines)
    file.write_text(re.sub(r"(?m)^    deploy: \|\n(?:        .*\n)+", lambda _: hook, file.read_text()))
    await commit(shop, message)


async def _make_up_visitors(daemon: LocalDaemon) -> None:
    """An hour of them: figures are what the daemon would have counted, and it reads them when it starts."""
    await daemon.stop()
    history, chance, now = History(), random.Random(1), time.time()
    for minute in range(60):
        for _ in range(int(90 + 40 * math.sin(minute / 9) + chance.random() * 30)):
            status = chance.choices((200, 302, 404, 500), (90, 6, 4, 0.4))[0]
            history.count(now - 60 * (59 - minute), status, chance.lognormvariate(-3.2, 0.7))
    for folder in daemon.directory.glob("var/state/environments/shop/main-*"):
        history.write(folder / FILE)
    await daemon.start(limit_seconds=120)


async def _sign_in(stack: AsyncExitStack, daemon: LocalDaemon, folder: Path) -> Pages:
    playwright = await stack.enter_async_context(async_playwright())
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    stack.push_async_callback(browser.close)
    pages: dict[str, Page] = {}
    for scheme in SCHEMES:
        context = await browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if scheme == "dark" else "light",
        )
        page = pages[scheme] = await context.new_page()
        await page.goto(daemon.api)
        await page.keyboard.type(daemon.token)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
    return pages


async def _take_what_is_over(daemon: LocalDaemon, pages: Pages, folder: Path) -> None:
    first = next(iter(pages.values()))
    row = first.get_by_role("row").filter(has_text="feature/carts")
    failed = await row.get_by_role("link", name="push ").get_attribute("href") or ""
    await first.goto(f"{daemon.api}{SHOP}")
    versions = first.get_by_role("table", name="Versions")
    compared = await versions.get_by_role("link", name="Compare ").last.get_attribute("href") or ""
    revert = await versions.get_by_role("link", name="Revert to this").last.get_attribute("href") or ""
    for name, path in {
        "failed": failed, "environment": SHOP, "revert": revert, "compare": f"{compared}&files=1", "host": "/host",
    }.items():
        for page in pages.values():
            await page.goto(f"{daemon.api}{path}")
        await first.wait_for_timeout(4000 if name == "environment" else 500)   # memory is measured meanwhile
        await _take(pages, folder, name)


async def _take_what_goes_on(daemon: LocalDaemon, shop: Path, pages: Pages, folder: Path) -> None:
    """The overview while visitors are held, and the log of what holds them."""
    await _with_hook(shop, TAKES_LONG, "Give carts their own table")
    for page in pages.values():
        await page.goto(daemon.api)
    async with asyncio.TaskGroup() as group:
        push = group.create_task(_push(daemon, shop, "main"))
        rows = {scheme: page.get_by_role("row").filter(has_text="production").first for scheme, page in pages.items()}
        for row in rows.values():
            await row.get_by_text("hooks, for").wait_for()
        url = urlsplit(daemon.url("shop"))
        for _ in range(7):
            group.create_task(_visit(url.netloc, url.port or 80))
        for row in rows.values():
            await row.get_by_text("7 requests").wait_for()
        await _take(pages, folder, "overview")
        for scheme, page in pages.items():
            await rows[scheme].get_by_role("link", name="push ").click()
            await page.get_by_text("warming the cache").wait_for()
            await page.evaluate("scrollTo(0, 0)")
        await _take(pages, folder, "watching")
        await push


async def _visit(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    writer.close()


async def _take(pages: Pages, folder: Path, name: str) -> None:
    for scheme, page in pages.items():
        height = min(TALLEST, await page.evaluate("document.documentElement.scrollHeight"))
        await page.screenshot(
            path=folder / f"{name}-{scheme}.png", full_page=True,
            clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
        )
    say(f"took {name}")


def main(arguments: Sequence[str]) -> int:
    asyncio.run(make(DIRECTORY, Path(arguments[0]) if arguments else FOLDER))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
