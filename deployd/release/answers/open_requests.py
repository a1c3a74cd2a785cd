"""Whether the version before has answered what it was asked before the freeze, told by the kernel.

A web container's nginx opens a connection to its application for each request and closes it with the answer. So what is
open between the two is what is under way, whoever asked.
"""

from __future__ import annotations

import asyncio

from deployd.activity.log import Tell
from deployd.engine.observed import ContainerSeen
from deployd.environment.platform import PORT, SOCKET
from deployd.release.ports import Host
from deployd.release.release import Release

ARRIVE_SECONDS = 0.3
"""Requests that the router sent on just before the freeze arrive within this time."""
ANSWER_SECONDS = 10.0
"""WebSockets and downloads have no end: what is open then is not waited for."""
LOOK_SECONDS = 0.05


async def wait_until_answered(before: Release | None, host: Host, tell: Tell) -> None:
    """Wait until no request is under way in the applications that are live, 10 seconds at most."""
    if before is None:
        return
    await asyncio.sleep(ARRIVE_SECONDS)
    webs = await _web_servers(before, host)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while count := await host.engine.connections_to(webs, PORT, SOCKET):   # noqa: ASYNC110  the kernel tells nobody
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        tell.warn(f"{count} requests to the earlier version are still open after {ANSWER_SECONDS:.0f} s, and what they "
                  "need is replaced all the same")


async def _web_servers(before: Release, host: Host) -> list[ContainerSeen]:
    webs = [before.container("web", part) for app in before.version.apps for part in app.webs]
    found = [await host.engine.container(web) for web in webs]
    return [seen for seen in found if seen is not None]
