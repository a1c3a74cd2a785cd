"""Whether an application listens, asked of the kernel, and answers, asked of it: straight, past the router."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import aiohttp

from deployd.deployment.host import Host
from deployd.deployment.view import Deployment
from deployd.engine.listening import is_listening
from deployd.environment.platform import PORT, SOCKET
from deployd.errors import DeployError
from deployd.project.model import Application
from deployd.recipes.web_server import WEB_PORT

GATEWAY_ERRORS = frozenset({502, 503, 504})
"""What the web container says while nothing listens behind it; any other answer is the application's."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.005, 0.2, 1.1


class NotAnswering(DeployError):
    """An application's containers are up, but nothing answers requests."""

    code: ClassVar[str] = "not-answering"


async def wait_until_listening(
    deployment: Deployment, host: Host, app: Application, limit_seconds: float,
) -> bool:
    """Wait until the application has its socket open; False at the end of the time. The kernel is asked, not it."""
    if app.web.instance.commands.start is None and app.runtime_name != "php":
        return True   # nothing but files
    web = deployment.names.container(deployment.id, "web", app.name)
    seen = await host.engine.container(web)
    if seen is None or seen.pid is None:
        return False
    wanted = SOCKET if app.web.socket_family == "unix" else PORT
    pause = PAUSE_SECONDS
    try:
        async with asyncio.timeout(limit_seconds):
            while not await asyncio.to_thread(is_listening, seen.pid, wanted):
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        return False
    return True


async def wait_until_answering(deployment: Deployment, host: Host, app: Application, limit_seconds: float) -> None:
    """Wait until the application answers a GET / with anything but a gateway error.

    Raises:
        NotAnswering: Nothing answered in time; the container's last log lines are the evidence.
    """
    names = deployment.names
    web, container = (names.container(deployment.id, role, app.name) for role in ("web", "app"))
    seen = "no connection"
    pause = PAUSE_SECONDS
    try:
        async with asyncio.timeout(limit_seconds), aiohttp.ClientSession() as session:
            while True:
                there = await host.engine.container(web)
                address = there.addresses.get(names.network) if there and there.running else None
                if address:
                    seen = await _ask(session, address)
                    if not seen:
                        return
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        pass
    lines = await host.engine.last_lines(container, 20) or await host.engine.last_lines(web, 20)
    raise NotAnswering(
        f"{app.name} does not answer after {limit_seconds:.0f} s: {seen}",
        where=str(app.web.place),
        evidence=tuple(lines),
        mend=f"the start command must listen on ${'SOCKET' if app.web.socket_family == 'unix' else 'PORT'}; "
             "its output is above",
    )


async def _ask(session: aiohttp.ClientSession, address: str) -> str:
    """What is wrong; empty when the application answered."""
    try:
        async with session.get(
            f"http://{address}:{WEB_PORT}/", allow_redirects=False, timeout=aiohttp.ClientTimeout(total=10),
            headers={"User-Agent": "deployd health check", "X-Deployd-Probe": "1"},
        ) as answer:
            return f"status {answer.status}" if answer.status in GATEWAY_ERRORS else ""
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"no answer ({type(error).__name__})"
