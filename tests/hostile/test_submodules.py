"""Submodules of a hostile project: each push tries to have the root daemon connect to its own host, or run something.

One repository with one submodule for each try; what listens on the host counts who comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deployd.process import run
from scripts.git_push import git_environment
from scripts.local_daemon import LocalDaemon
from tests.hostile.test_network import address_of_the_host
from tests.support.developer import APP, Developer, MakeDeveloper
from tests.support.lan_stand import METADATA, PORT, PRIVATE, answering, connect_machine, give_addresses, machine

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

NUMBER = 221
WANTED = "c" * 40
URLS = (
    *(f"https://{host}:{PORT}/lib.git" for host in (
        "127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "{host}", "172.17.0.1",
        *METADATA, *PRIVATE,
    )),
    "https://ann:word@127.0.0.1:{api}/git/neighbour.git", "http://127.0.0.1:{api}/git/neighbour.git",
    "git://127.0.0.1:{port}/x", "ssh://127.0.0.1:{port}/x", "file://{var}/state/repositories/neighbour.git",
    "{var}/state/repositories/neighbour.git", "ext::sh -c touch% {var}/owned", "-u./owned", "../neighbour.git",
)
"""{host}: the address of the host in its network; {api}: the daemon's own port; {var}: the daemon's folder."""
REFUSALS = ("is not a public address", "only https:// addresses can be fetched", "disallowed submodule url")
"""The last one is git's own, when the push comes in; it names no line."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asked() -> AsyncIterator[list[str]]:
    """Whoever reached the host, or what lies beyond it."""
    async with machine("modules") as lan:
        await connect_machine(lan, None, "modules0", NUMBER)
        await give_addresses(lan, None, NUMBER, (*METADATA, *PRIVATE))
        async with answering((), PORT) as of_host, answering(lan.enter, PORT) as of_lan:
            yield of_host
            assert (of_host, of_lan) == ([], [])


async def push_with(developer: Developer, url: str) -> str:
    """Push a commit with a submodule. Returns what the terminal shows."""
    await developer.write({".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n'})
    link = ("update-index", "--add", "--cacheinfo", f"160000,{WANTED},lib")
    for argv in (link, ("commit", "-m", "With a submodule")):
        await run("git", *argv, cwd=developer.folder, env=git_environment())
    pushed = await developer.push()
    assert not pushed.deployed
    return "\n".join(pushed.lines)


@pytest.mark.parametrize("url", URLS)
async def test_the_daemon_does_not_go_there(
    daemon: LocalDaemon, developer: MakeDeveloper, asked: list[str], url: str,
) -> None:
    var = daemon.directory / "var"
    written = url.format(host=address_of_the_host(), api=daemon.api_port, port=PORT, var=var)
    told = await push_with(await developer("modules", {".platform.app.yaml": APP}), written)
    assert any(words in told for words in REFUSALS), told
    assert ".gitmodules:3" in told or REFUSALS[-1] in told
    assert asked == []
    assert not (var / "owned").exists()
    assert not Path("owned").exists()
