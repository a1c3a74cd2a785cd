"""People: taken in on the host itself, signed in with a token of their own, pushing with it, and gone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.async_api import Browser
from yarl import URL

from deployd.process import Output, run
from tests.e2e.test_console import Visitor, browser
from tests.support.developer import Developer, MakeDeveloper

__all__ = ["browser"]


async def operator(me: Developer, *argv: str) -> Output:
    """The command line of root on the daemon's own machine."""
    code = "import sys; from deployd.cli.main import main; main(sys.argv[1:])"
    socket = me.daemon.directory / "var/run/api.sock"
    return await run(sys.executable, "-c", code, *argv, "--socket", str(socket), check=False)


async def make_token(me: Developer, person: str) -> str:
    made = await operator(me, "token", "add", "laptop", "--person", person)
    assert made.status == 0, made.stderr
    return made.text.strip()


async def git(me: Developer, token: str, *argv: str) -> Output:
    url = str(URL(me.daemon.repository_url(me.project)).with_user("anna").with_password(token))
    return await run("git", "-C", str(me.folder), *(url if word == "URL" else word for word in argv), check=False)


async def test_a_person_pushes_looks_and_leaves(developer: MakeDeveloper, browser: Browser, tmp_path: Path) -> None:
    me = await developer("peopled")
    for argv in (["anna", "--name", "Anna Smith", "--role", "peopled=contributor"], ["vera", "--role", "viewer"]):
        added = await operator(me, "people", "add", *argv)
        assert added.status == 0, added.stderr
    token, reading = await make_token(me, "anna"), await make_token(me, "vera")

    refused = await git(me, reading, "push", "URL", "HEAD:main")
    assert refused.status != 0
    assert "vera is a viewer of peopled and may not push" in refused.stderr.decode()
    pushed = await git(me, token, "push", "-o", "no-wait", "URL", "HEAD:main")
    assert pushed.status == 0, pushed.stderr
    made = json.loads((await operator(me, "activities", "-p", "peopled", "--json")).text)
    assert made[0]["who"] == "anna"

    visitor = Visitor(await (await browser.new_context()).new_page())
    page = visitor.page
    await page.goto(me.daemon.api + "/account")
    await page.keyboard.type(token)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await visitor.tab_to("Label")
    await page.keyboard.type("ci")
    await visitor.tab_to("Make a token")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    secret = await page.locator("code.secret").inner_text()
    assert (await git(me, secret, "ls-remote", "URL")).status == 0
    await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "anna@desk", "-f", str(tmp_path / "key"))
    await page.get_by_label("Public key").fill((tmp_path / "key.pub").read_text().strip())
    async with page.expect_navigation():
        await page.get_by_role("button", name="Take the key").click()
    assert "anna@desk" in await page.locator("main").inner_text()
    assert await page.locator("code.secret").count() == 0, "a secret is shown once"
    await visitor.is_fit_for_everybody()

    assert (await operator(me, "people", "leave", "anna")).status == 0
    await page.reload()
    assert "/account" in page.url
    assert await page.get_by_label("Token").count() == 1, "the session ended with the person"
    assert (await git(me, secret, "ls-remote", "URL")).status != 0
    deeds = json.loads((await operator(me, "audit", "--limit", "20", "--json")).text)
    assert [deed["action"] for deed in deeds if "anna" in deed["said"]][:2] == ["people leave", "people keys add"]
