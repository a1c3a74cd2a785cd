"""Whether an application listens, asked of the kernel, and answers, asked of it: straight, past the router."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import aiohttp

from deployd.deployment.gone import where_it_is_kept
from deployd.deployment.host import Host
from deployd.deployment.memory_full import memory_full, mend_memory
from deployd.deployment.view import Deployment
from deployd.engine.listening import is_listening, listening_ports
from deployd.environment.platform import PORT, SOCKET
from deployd.errors import DeployError
from deployd.project.model import Application
from deployd.recipes.web_server import WEB_PORT

GATEWAY_ERRORS = frozenset({502, 503, 504})
"""What the web container says while nothing listens behind it; any other answer is the application's."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.005, 0.2, 1.1
LOOK_SECONDS = 1.0
MOST_RESTARTS = 6
"""A start command that ended so often, some six seconds long, will not become well by waiting."""
KILLED_LINE = "the start command ended with status 137"
"""By start_script; of a container that was started anew the kernel's count is gone."""


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
        NotAnswering: Nothing answered in time, or its start command ends again and again; its last output is the
            evidence.
    """
    names = deployment.names
    web, container = (names.container(deployment.id, role, app.name) for role in ("web", "app"))
    seen = "no connection"
    pause = PAUSE_SECONDS
    began = looked = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(limit_seconds), aiohttp.ClientSession() as session:
            while True:
                there = await host.engine.container(web)
                address = there.addresses.get(names.network) if there and there.running else None
                if address:
                    seen = await _ask(session, address)
                    if not seen:
                        return
                if asyncio.get_running_loop().time() - looked > LOOK_SECONDS:
                    looked = asyncio.get_running_loop().time()
                    if await _starts_in_vain(host, container):
                        break
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        pass
    seconds = asyncio.get_running_loop().time() - began
    what = f"{app.name} does not answer after {seconds:.0f} s"
    raise await _not_answering(deployment, host, app, web, container, what, seen)


async def _starts_in_vain(host: Host, container: str) -> bool:
    """Whether waiting longer is of no use; visitors are held meanwhile."""
    seen = await host.engine.container(container)
    return seen is not None and seen.restarts >= MOST_RESTARTS


async def _not_answering(
    deployment: Deployment, host: Host, app: Application, web: str, container: str, what: str, seen: str,
) -> NotAnswering:
    own, front = await host.engine.container(container), await host.engine.container(web)
    lines = await host.engine.last_lines(container, 20)
    wanted = "SOCKET" if app.web.socket_family == "unix" else "PORT"
    mend = f"the start command must listen on ${wanted}; " + (
        "its output is above" if lines else "it has written nothing so far"
    )
    megabytes = host.settings.size(app.web.instance.size).memory_mb
    full = await memory_full(host, container, 0, megabytes) or (
        f"; its memory ({megabytes} MB) was full, most likely" if KILLED_LINE in lines else ""
    )
    if front is None or front.pid is None:
        lines, why = await host.engine.last_lines(web, 20) or lines, "its web server does not run"
    elif own is None or own.restarts:
        why = f"its start command ends again and again (started anew {own.restarts if own else 0} times)"
        mend = "mend the start command; its output is above"
    elif wanted == "PORT" and not await asyncio.to_thread(is_listening, front.pid, PORT):
        others = [port for port in await asyncio.to_thread(listening_ports, front.pid) if port != WEB_PORT]
        why = f"nothing listens on $PORT ({PORT})" + (
            f", it listens on {', '.join(map(str, others))} instead" if others else ""
        )
    else:
        why = seen
    return NotAnswering(
        f"{what}: {why}{full}", where=str(app.web.place), evidence=tuple(lines),
        mend=f"{mend_memory(mend, full, '`size` of the application')}; "
             f"{where_it_is_kept(deployment, app.name)} shows all that it printed",
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
