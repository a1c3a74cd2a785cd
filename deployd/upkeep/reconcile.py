"""What is live must run: slugs, containers and routes of live versions are put back.

All of them at the start of the daemon, because after a reboot of the host Docker has nothing running of ours, and
nothing is mounted; one when something happened to it (`watch.py`). One survey tells those in which nothing is amiss.
The order is: slugs, services, applications, routes. Whatever is there already is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.engine.names import ROLE
from deployd.engine.observed import ContainerSeen
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.release.applications.stale_mounts import end_without_slug
from deployd.release.configuration import read_config
from deployd.release.data.volumes import stage_version
from deployd.release.fingerprint import live_containers
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.routes import asleep_routes, route_set
from deployd.release.services.fronts import turn_fronts
from deployd.release.version import FIRST_UID, Version
from deployd.router.table import Route, RouteSet
from deployd.state.activities import Activity
from deployd.state.store import Store
from deployd.upkeep.ownership import (
    Owner,
    read_keys,
    read_live,
    read_ownership,
    read_paused,
    read_paused_keys,
    read_running,
)
from deployd.upkeep.survey import Survey, Surveyor

log = structlog.get_logger()

SHORTEST_FREEZE_SECONDS = 0.1
AT_ONCE = 4
"""Environments that are put back at once: Docker gains nothing from more."""
ORDER = {"service": 0, "web": 1, "app": 2, "worker": 3}


class Reconciler:
    """Puts back what is live."""

    def __init__(self, store: Store, host: Host, clock: Clock, *, boundary: ErrorBoundary | None = None) -> None:
        self._boundary = boundary or ErrorBoundary("putting back")
        self._store = store
        self._surveyor = Surveyor(store, host, self._boundary)
        self._host = host
        self._clock = clock
        self._put: dict[EnvironmentId, RouteSet] = {}

    async def put_back(self) -> int:
        """Start what does not run and tell the router what it does not know; only while no lane is served.

        Returns how many environments are live. One that cannot be put back is logged and left: the others must not
        suffer from it.
        """
        survey = await self.survey()
        await self._put_all_asleep(survey.untold)
        return len(survey.well) + await self._for_each(self._start, survey.live - survey.well.keys())

    async def survey(self) -> Survey:
        """One look at everything that is live.

        Raises:
            DeployError: Docker or the router does not answer.
        """
        return await self._surveyor.survey()

    async def put_routes_back(self) -> int:
        """Tell the router everything, freezes included: nginx was started anew and has forgotten it."""
        self._put.clear()
        await self._put_all_asleep(await read_paused_keys(self._store))
        return await self._for_each(self._tell_router, await read_keys(self._store))

    async def put_asleep(self, key: EnvironmentId) -> None:
        """Tell the router that the next visitor of a paused environment wakes it."""
        release = await read_paused(self._store, self._host.settings, key)
        if release is not None and (await read_ownership(self._store, key)).owner is not Owner.NOBODY:
            await self._tell_asleep(release)

    async def _put_all_asleep(self, keys: Collection[EnvironmentId]) -> None:
        for key in sorted(keys):
            with self._boundary.contain(f"putting back {key}", shown=False):
                await self.put_asleep(key)

    async def _tell_asleep(self, release: Release) -> None:
        routes = await asleep_routes(release, self._host)
        await self._host.router.put(routes, over=await self._host.router.look(routes.environment))

    async def _for_each(
        self, put_back: Callable[[EnvironmentId, Release], Awaitable[None]], keys: Collection[EnvironmentId],
    ) -> int:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(key: EnvironmentId) -> bool:
            async with slots:
                # Not shown: the watch looks at it from now on, and shows what it finds.
                with self._boundary.contain(f"putting back {key}", shown=False) as tried:
                    release = await read_live(self._store, self._host.settings, key)
                    if release is not None:
                        await put_back(key, release)
                    return release is not None
                if tried.error is not None:
                    log.error("environment_not_put_back", project=key[0], environment=key[1], what=tried.error.what)
                    await self._shut(key)
                return False

        return sum(await in_parallel(one(key) for key in sorted(keys)))

    async def containers(self, release: Release) -> list[ContainerSeen]:
        """The containers of a live version, in the order in which they are started."""
        labels = release.names.labels()
        found = live_containers(release.version, await self._host.engine.containers(labels))
        return sorted(found, key=lambda item: ORDER[item.labels[ROLE]])

    async def mount(self, release: Release) -> None:
        """Have the slugs and mounts of a live version where its containers look for them.

        The slugs come last: who sees its slug (`release/applications/stale_mounts.py`) sees its mounts.
        """
        if release.version.uid != FIRST_UID:   # else Docker was told the paths themselves
            await stage_version(release, self._host, await read_config(release, self._host))
        for app in release.version.apps:
            await self._host.slugs.ensure_mounted(app.slug)

    async def put_routes(self, key: EnvironmentId, release: Release) -> bool:
        """Tell the router the addresses that the containers have now, when they are others than it was told.

        Gives False, and does nothing, when a deployment has its hands on the environment or another version is live.
        """
        await self._turn_fronts(key, release)
        routes = await route_set(release, self._host)
        over = await self._host.router.look(routes.environment)   # first: who switches after it wins
        if self._put.get(key) == routes and over == routes.version:
            return True
        at = await read_ownership(self._store, key)
        if at.owner is not Owner.OURS or at.live != release.id:
            return False
        if not await self._host.router.put(routes, over=over):
            return False
        before = self._put.get(key)
        if before is not None and before.version == routes.version:
            log.info("routes_put_again", project=key[0], environment=key[1])
        self._put[key] = routes
        return True

    async def _turn_fronts(self, key: EnvironmentId, release: Release) -> None:
        """Have the services before the applications know the addresses that these have now."""
        at = await read_ownership(self._store, key)
        if at.owner is not Owner.OURS or at.live != release.id:
            return
        try:
            await turn_fronts(release, self._host)
        except DeployError as error:   # one that starts yet took what lies there
            log.warning("front_not_turned", environment=release.key, what=error.what)

    async def _start(self, key: EnvironmentId, release: Release) -> None:
        if (await read_ownership(self._store, key)).is_ending:   # its activity goes on, and visitors wake it then
            await self._tell_asleep(release)
            return
        await self.mount(release)
        await end_without_slug(self._host, await self.containers(release))
        at = await read_ownership(self._store, key)
        for container in await self.containers(release):
            # A deployment that is gone on with has stopped the old workers, and starts them when it gives up.
            if not container.running and not (at.frozen_at and container.labels[ROLE] == "worker"):
                await self._host.engine.start(container.name)
                log.info("container_started", container=container.name)
        await self._tell_router(key, release)

    async def _tell_router(self, key: EnvironmentId, release: Release) -> None:
        routes = await route_set(release, self._host)
        over = await self._host.router.look(routes.environment)
        at = await read_ownership(self._store, key)
        if at.is_ending:
            await self._tell_asleep(release)
            return
        # A switch whose answer was lost may have been carried out: then visitors are on the new version already.
        if at.owner is Owner.NOBODY or at.live != release.id or (at.switching and over):
            return
        # The freeze comes first: nobody may get through to the earlier version while a deploy hook changes its data.
        frozen = at.frozen_at is not None and await self._freeze_again(key, routes, at.frozen_at)
        if await self._host.router.put(routes, over=over):
            self._put[key] = routes
        if frozen and at.running is not None:
            await self._show_to_operators(at.running)

    async def _freeze_again(self, key: EnvironmentId, routes: RouteSet, frozen_at: datetime) -> bool:
        """Freeze until the end that it had; one that is over shows the maintenance page. Returns whether it is on."""
        seconds = (self._clock.now() - frozen_at).total_seconds()
        await self._host.router.freeze(
            routes.environment, max(self._host.settings.freeze_seconds - seconds, SHORTEST_FREEZE_SECONDS),
            sorted({route.host for route in routes.routes}),
        )
        if (await read_ownership(self._store, key)).frozen_at is not None:
            return True
        await self._host.router.thaw(routes.environment)   # it ended while we began it anew
        return False

    async def _show_to_operators(self, running: Activity) -> None:
        """Lead who has a pass to the version that is being made live. Nothing fails for that."""
        release = await read_running(self._store, self._host, running)
        try:
            await self._host.router.preview(await route_set(release.release, self._host))
        except DeployError as error:   # the freeze may have ended meanwhile
            log.warning("new_version_not_shown", environment=release.key, what=error.what)

    async def _shut(self, key: EnvironmentId) -> None:
        """Let the hosts of an environment that cannot be put back answer 503, when the router does not know them.

        Else they would be unknown, which says that there is no such site. The watch tries again.
        """
        with self._boundary.contain(f"shutting {key}", shown=False):
            release = await read_live(self._store, self._host.settings, key)
            if release is not None and await self._host.router.look(release.key) is None:
                await self._host.router.put(shut_routes(release.key, release.version), over=None)


def shut_routes(environment: str, version: Version) -> RouteSet:
    """What is known of the routes without reading a configuration: the addresses that were told when it went live.

    Without a version and an origin, so that whoever compares finds that the real routes have to be put.
    """
    return RouteSet(environment, "", tuple(_shut(url) for url in version.routes))


def _shut(url: str) -> Route:
    parts = urlsplit(url)
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return Route(scheme, parts.hostname or "", parts.path or "/", "upstream", original_url=url)
