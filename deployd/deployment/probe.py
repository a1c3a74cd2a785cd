"""Whether an application answers: one HTTP request after another to its web container, straight, past the router."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import aiohttp

from deployd.deployment.host import Host
from deployd.deployment.view import Deployment
from deployd.errors import DeployError
from deployd.project.model import Application
from deployd.recipes.web_server import WEB_PORT

GATEWAY_ERRORS = frozenset({502, 503, 504})
"""What the web container says while nothing listens behind it; any other answer is the application's."""
PAUSE_SECONDS = 0.03
LONGEST_PAUSE_SECONDS = 1.0


class NotAnswering(DeployError):
    """An application's containers are up, but nothing answers requests."""

    code: ClassVar[str] = "not-answering"


async def wait_until_answering(
    deployment: Deployment, host: Host, app: Application, limit_seconds: float, *, quietly: bool = False,
) -> bool:
    """Wait until the application answers a GET / with anything but a gateway error.

    Args:
        quietly: Give False at the end of the time instead of raising.

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
                        return True
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        if quietly:
            return False
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
