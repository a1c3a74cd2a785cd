"""`make screenshots`: the console as it looks, in docs/images, on a daemon of its own with real pushes.

Taken in Debian's Chromium, in light and in dark; everything that was made for it is removed afterwards.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from scripts.local_daemon import ROOT, LocalDaemon, instance_of
from scripts.removal import remove_all
from scripts.repository import commit, copy_into, make_repository

SAMPLES, FOLDER, DIRECTORY = ROOT / "config" / "samples", ROOT / "docs" / "images", ROOT / "build" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]
WIDTH, HEIGHT = 1280, 860
FAILS = """\
    deploy: |
        echo migrating 12 tables
        printf '\\033[31mERROR\\033[0m: relation "carts" does not exist\\n'
        exit 3
"""


def say(text: str) -> None:
    print(f"screenshots: {text}", flush=True)


async def make(directory: Path, folder: Path, pages: Sequence[str]) -> None:
    daemon = LocalDaemon(directory, {"shop": {"title": "Shop"}, "guestbook": {"title": "Guestbook"}},
                         instance=instance_of(directory, "shots"))
    if directory.exists():
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    await daemon.start()
    try:
        await _push_all(daemon, directory)
        folder.mkdir(parents=True, exist_ok=True)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for scheme in ("light", "dark"):
                await _take_all(browser, daemon, folder, scheme, pages)
            await browser.close()
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
        shutil.rmtree(directory, ignore_errors=True)


async def _push_all(daemon: LocalDaemon, directory: Path) -> None:
    """A shop with some deployments and a branch whose hook fails, and a guestbook."""
    shop = directory / "repositories" / "shop"
    await make_repository(shop, SAMPLES / "shop")
    await _push(daemon, shop, "shop", "main")
    await copy_into(shop, SAMPLES / "shop-next")
    await commit(shop, "Show what is in stock")
    await _push(daemon, shop, "shop", "main")
    await commit(shop, "Let the cart survive a sign-in", allow_empty=True)
    await _push(daemon, shop, "shop", "main")
    settings = next(path for path in shop.glob(".*.app.yaml"))
    text = settings.read_text()
    settings.write_text(re.sub(r"(?m)^    deploy: \|\n(?:        .*\n)+", lambda _: FAILS, text))
    await commit(shop, "Move carts to their own table")
    await _push(daemon, shop, "shop", "feature/carts")
    guestbook = directory / "repositories" / "guestbook"
    await make_repository(guestbook, SAMPLES / "guestbook")
    await _push(daemon, guestbook, "guestbook", "main")


async def _push(daemon: LocalDaemon, repository: Path, project: str, branch: str) -> None:
    pushed = await daemon.push(repository, project, branch=branch, on_line=lambda _: None, force=True)
    say(f"pushed {branch} of {project}: {'live' if pushed.deployed else 'failed'}")


async def _take_all(browser: Browser, daemon: LocalDaemon, folder: Path, scheme: str, pages: Sequence[str]) -> None:
    context = await browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    await page.goto(daemon.api)
    await page.screenshot(path=folder / f"console-sign-in-{scheme}.png")
    await page.keyboard.type(daemon.token)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    overview = page.url
    addresses = {"overview": overview}
    rows = page.get_by_role("row")
    main, failed = rows.filter(has_text="cart survive").first, rows.filter(has_text="feature/carts").first
    for name, row, link in (("failed", failed, "push "), ("environment", main, "main"), ("deployed", main, "push ")):
        addresses[name] = await row.get_by_role("link", name=link).first.get_attribute("href") or ""
    addresses |= {name.strip("/").replace("/", "-"): name for name in pages}
    for name, path in addresses.items():
        await page.goto(path if path.startswith("http") else f"{daemon.api}{path}")
        await page.wait_for_timeout(300)
        await page.screenshot(path=folder / f"console-{name}-{scheme}.png", full_page=name not in ("overview",))
        say(f"took {name} in {scheme}")
    await context.close()


def main(arguments: Sequence[str]) -> int:
    asyncio.run(make(DIRECTORY, Path(arguments[0]) if arguments else FOLDER, arguments[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
