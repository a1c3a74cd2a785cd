"""The router's container is started when it has ended, made when it is gone, and told everything when nginx is new."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from deployd.release.ports import Host
from deployd.router.table import RouterStatus
from deployd.router_process.container import router_name
from deployd.upkeep.back_off import BackOff
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.repair import Look

log = structlog.get_logger()

AGAIN_SECONDS = 0.1
"""No visitor is served while it is away: nothing is waited for that need not be."""


class Router(Protocol):
    """The calls of the router that only upkeep makes."""

    async def status(self, *, environments: bool) -> RouterStatus: ...
    async def complete(self) -> None: ...


class RouterRepairer:
    """Looks at the router, and repairs it."""

    def __init__(
        self, host: Host, router: Router, reconciler: Reconciler, ensure_container: Callable[[], Awaitable[object]],
    ) -> None:
        """
        Args:
            ensure_container: Makes the router's container when somebody removed it.
        """
        self._host = host
        self._router = router
        self._reconciler = reconciler
        self._ensure_container = ensure_container
        self._nginx_started: int | None = None

    async def look(self, back_off: BackOff) -> Look:
        """Repair what can be repaired.

        Raises:
            DeployError: Docker or the router did not do it.
        """
        name = router_name(self._host.settings.instance)
        seen = await self._host.engine.container(name)
        now = asyncio.get_running_loop().time()
        if seen is not None and not seen.running:
            wait = back_off.wait_seconds(name, now)
            if wait == 0:
                back_off.started(name, now)
                await self._host.engine.start(name)
                log.warning("container_started_again", container=name, exit_status=seen.exit_status)
            return Look(wait + AGAIN_SECONDS, None)
        if seen is None:
            await self._ensure_container()
            log.warning("router_made_again")
        # While nginx starts nobody listens: told, and looked at again.
        status = await self._router.status(environments=False)
        if not status.complete or self._nginx_started not in (None, status.started):
            count = await self._reconciler.put_routes_back()
            await self._router.complete()
            log.warning("router_told_everything", environments=count)
        self._nginx_started = status.started
        return Look()
