"""What is live stays live: containers that end, change their address or are started anew; the router too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from deployd.environment.naming import machine_name
from deployd.process import run
from tests.support.developer import Developer, MakeDeveloper

LIMIT_SECONDS = 60.0
ANSWER_SECONDS = 10.0


async def until(question: Callable[[], Awaitable[bool]], what: str) -> float:
    """Wait until it is so. Returns the seconds."""
    began = time.monotonic()
    while not await question():
        assert time.monotonic() - began < LIMIT_SECONDS, f"not within {LIMIT_SECONDS:.0f} s: {what}"
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@pytest.fixture
async def live(developer: MakeDeveloper) -> Developer:
    me = await developer("upkeep")
    pushed = await me.push()
    assert pushed.status == 0, pushed
    assert await me.page() == (200, "first on main"), pushed
    return me


@pytest.mark.parametrize("role", ["app", "web"])
async def test_a_killed_container_comes_back_without_a_push(live: Developer, role: str) -> None:
    container = await container_of(live, role)
    await run("docker", "kill", container)
    await until(lambda: answers(live, 200), f"the {role} container is back")


async def test_a_stopped_container_comes_back(live: Developer) -> None:
    await run("docker", "stop", "--time", "1", await container_of(live, "web"), limit_seconds=60)
    await until(lambda: answers(live, 200), "the web container is back")


async def test_the_router_follows_a_web_container_to_another_address(live: Developer) -> None:
    web = await container_of(live, "web")
    network = f"{live.daemon.instance}-{live.project}-{machine_name('main')}"
    before = await address_of(web)
    other = before.rpartition(".")[0] + "." + str(int(before.rpartition(".")[2]) ^ 16)   # in the same half of a /26
    await run("docker", "network", "disconnect", network, web)
    await run("docker", "network", "connect", "--ip", other, network, web)
    await run("docker", "restart", "--time", "1", web, limit_seconds=60)
    assert await address_of(web) == other
    await until(lambda: answers(live, 200), "the router sends to the new address")


async def test_a_router_that_is_started_anew_is_told_everything(live: Developer) -> None:
    await run("docker", "restart", "--time", "1", f"{live.daemon.instance}-router", limit_seconds=60)
    await until(lambda: answers(live, 200), "the routes are back")
    await run("docker", "kill", f"{live.daemon.instance}-router")
    await until(lambda: answers(live, 200), "the router and its routes are back")


@pytest.mark.parametrize("roles", [("app",), ("web",), ("web", "app")], ids="+".join)
async def test_containers_that_somebody_removed_are_made_again(live: Developer, roles: tuple[str, ...]) -> None:
    gone = [await container_of(live, role) for role in roles]
    await run("docker", "rm", "-f", *gone)
    await until(lambda: answers(live, 200), "the application answers again")
    await until(lambda: degraded(live, None), "well again")
    await live.write({"text": "second"})
    assert (await live.push()).status == 0
    assert await live.page() == (200, "second on main")


async def test_a_router_that_somebody_removed_is_made_again(live: Developer) -> None:
    await run("docker", "rm", "-f", f"{live.daemon.instance}-router")
    await until(lambda: answers(live, 200), "the router and its routes are back")


async def test_a_push_whose_hook_died_is_deployed_after_a_restart_of_the_daemon(live: Developer) -> None:
    await live.daemon.stop()
    (repository,) = live.daemon.directory.glob(f"var/state/repos/{live.project}.git")
    await run("git", "-C", str(repository), "fetch", "-q", str(live.folder), "HEAD:refs/heads/lost")   # runs no hook
    await live.daemon.start()
    await until(lambda: answers(live, 200, "lost"), "the branch is deployed")
    assert await live.page("lost") == (200, "first on lost")


async def answers(me: Developer, status: int, branch: str = "main") -> bool:
    """A question that hangs is asked anew: a connection of the router whose network was taken away has no end."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return (await me.page(branch))[0] == status
    except (OSError, TimeoutError):   # OSError: the router is away
        return False


async def degraded(me: Developer, reason: str | None) -> bool:
    """Whether /status gives this reason; None: none for the project."""
    async with me.daemon.session() as session, session.get("/status") as answer:
        reasons = [text for text in (await answer.json())["reasons"] if text.startswith(f"{me.project}/")]
    return not reasons if reason is None else any(reason in text for text in reasons)


async def container_of(me: Developer, role: str) -> str:
    found = await run(
        "docker", "ps", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", f"label=deployd.role={role}",
    )
    return found.text.splitlines()[0]


async def address_of(container: str) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return (await run("docker", "inspect", "-f", template, container)).text
