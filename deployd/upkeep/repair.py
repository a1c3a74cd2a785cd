"""One environment is repaired: what has ended is started, what was removed is made again, the router is told addresses.

An application lives in the network of its web container. When that one is started again it has a new network, and the
application sits in one that leads nowhere: then it is started again too. Whether that is so is seen by who was started
later, so nothing has to be remembered, and a daemon that was away sees it as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.engine.engine import Engine
from deployd.engine.errors import NotThere
from deployd.engine.names import PART, ROLE, Names
from deployd.engine.observed import ContainerSeen
from deployd.errors import DeployError, Transient
from deployd.ids import ActivityId, EnvironmentId
from deployd.release.applications.stale_mounts import end_without_slug
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.state.store import Store
from deployd.upkeep.back_off import BackOff
from deployd.upkeep.ownership import Owner, read_live, read_ownership
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.recreate import Recreate
from deployd.upkeep.survey import Part, missing_parts

log = structlog.get_logger()

BUSY_SECONDS = 3.0
SOON_SECONDS = 0.3
FAILED_SECONDS = 5.0
STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at an environment gave."""

    again_in: float | None = None
    """Seconds until the next look; None when there is nothing more to do."""
    wrong: tuple[str, ...] | None = ()
    """What is not as it should be; None: nothing new is known."""


class Repairer:
    """Looks at environments, one at a time, and repairs them."""

    def __init__(
        self, store: Store, host: Host, reconciler: Reconciler, back_off: BackOff, recreate: Recreate,
        boundary: ErrorBoundary,
    ) -> None:
        self._boundary = boundary
        self._store = store
        self._host = host
        self._reconciler = reconciler
        self._back_off = back_off
        self._recreate_parts = recreate
        self._not_recreated: dict[EnvironmentId, str] = {}
        """Why what is missing could not be made at the last try."""

    async def look_at(self, key: EnvironmentId) -> Look:
        """Repair what can be repaired.

        Raises:
            DeployError: Docker or the router did not do it.
        """
        release = await read_live(self._store, self._host.settings, key)
        owner = (await read_ownership(self._store, key)).owner
        if release is None and owner is Owner.OURS:
            await self._reconciler.put_asleep(key)   # when it is paused
        if release is None or owner is Owner.NOBODY:
            return Look()
        if owner is Owner.DEPLOYMENT:
            return Look(BUSY_SECONDS, None)
        containers = await self._reconciler.containers(release)
        if await end_without_slug(self._host, containers):
            containers = await self._reconciler.containers(release)
        self._back_off.keep_only(
            f"{release.names.network}-", [_recreating(release), *(item.name for item in containers)],
        )
        missing = missing_parts(release.version, containers)
        repairing = f"mending {key}: "
        waits: list[float | None] = []
        failed: list[str] = []
        for number, step in enumerate((
            *((partial(self._recreate, key, release, missing),) if missing else ()),
            *(partial(self._start, key, release, item) for item in containers if not item.running),
            *(partial(self._rejoin, key, release, part) for app in release.version.apps for part in app.webs),
        )):
            # The other containers and the routes must not suffer from it; it is shown with its environment.
            with self._boundary.contain(f"{repairing}{number}", shown=False) as tried:
                waits.append(await step())
            if tried.error is not None:
                failed.append(tried.error.what)
                waits.append(FAILED_SECONDS)
        if not failed:
            self._boundary.keep_only((), beginning=repairing)
        if not await self._reconciler.put_routes(key, release):
            return Look(BUSY_SECONDS, None)
        again_in = min((wait for wait in waits if wait is not None), default=None)
        return Look(again_in, (*failed, *self._missing(key, missing), *self._wrong(containers)))

    async def _recreate(self, key: EnvironmentId, release: Release, missing: Collection[Part]) -> float | None:
        """Make again what somebody removed, with growing pauses when that happens again and again."""
        loop = asyncio.get_running_loop()
        name = _recreating(release)
        wait = self._back_off.wait_seconds(name, loop.time())
        if wait > 0:
            return wait + SOON_SECONDS
        self._back_off.started(name, loop.time())

        async def is_ours() -> bool:
            return (await read_ownership(self._store, key)).owner is Owner.OURS

        try:
            made = await self._recreate_parts(release, self._host, missing, is_ours)
        except (DeployError, Transient) as error:
            self._not_recreated[key] = str(error)
            return FAILED_SECONDS
        self._not_recreated.pop(key, None)
        return SOON_SECONDS if made else BUSY_SECONDS

    async def _start(self, key: EnvironmentId, release: Release, container: ContainerSeen) -> float | None:
        """Start a container that has ended, when its time has come. Gives the seconds until it is to be looked at."""
        loop = asyncio.get_running_loop()
        wait = self._back_off.wait_seconds(container.name, loop.time())
        if wait > 0:
            return wait + SOON_SECONDS   # a wake-up that is a hair too early would come again and again
        seen = await self._host.engine.container(container.name)
        if seen is None or seen.running:   # it has come back by itself, or is gone: the event is on its way
            return None
        await self._reconciler.mount(release)
        if (await read_ownership(self._store, key)).owner is not Owner.OURS:
            return BUSY_SECONDS
        self._back_off.started(container.name, loop.time())
        try:
            await self._host.engine.start(container.name)
        except NotThere:
            if container.labels[ROLE] != "app":
                raise
            # It was made for the network of a web container that was being removed. It never starts; a new one does.
            await self._host.engine.ensure_container_gone(container.name, stop_seconds=0)
            return SOON_SECONDS
        log.warning("container_started_again", container=container.name, exit_status=seen.exit_status)
        return SOON_SECONDS

    async def _rejoin(self, key: EnvironmentId, release: Release, part: str) -> float | None:
        """Start an instance again whose web container has been started later than it."""
        inner = await left_behind(self._host.engine, release.names, release.home(part), part)
        if inner is None:
            return None
        loop = asyncio.get_running_loop()
        wait = self._back_off.wait_seconds(inner.name, loop.time())
        if wait > 0:
            return wait + SOON_SECONDS
        if (await read_ownership(self._store, key)).owner is not Owner.OURS:
            return BUSY_SECONDS
        self._back_off.started(inner.name, loop.time())
        await self._host.engine.stop(inner.name, STOP_SECONDS)
        await self._host.engine.start(inner.name)
        log.warning("container_started_again", container=inner.name, why="its web container has a new network")
        return SOON_SECONDS

    def _missing(self, key: EnvironmentId, missing: Collection[Part]) -> tuple[str, ...]:
        if not missing:
            self._not_recreated.pop(key, None)
        why = self._not_recreated.get(key)
        how = f"cannot be made again: {why}" if why else "is made again"
        return tuple(f"the {role} container of {part} was removed and {how}" for role, part in sorted(missing))

    def _wrong(self, containers: list[ContainerSeen]) -> tuple[str, ...]:
        now = asyncio.get_running_loop().time()
        wrong = []
        for item in containers:
            what = f"the {item.labels[ROLE]} container of {item.labels.get(PART)}"
            deaths = self._back_off.deaths(item.name, now)
            if deaths:
                wrong.append(f"{what} ended {deaths} times in the last 5 minutes")
            elif item.health == "unhealthy":
                wrong.append(f"{what} is unhealthy")
        return tuple(wrong)


def _recreating(release: Release) -> str:
    """What the back-off calls it: of one version, because the next one begins anew. No container's name has a blank."""
    return f"{release.names.network}- remaking {release.id}"


async def left_behind(engine: Engine, names: Names, activity: ActivityId, part: str) -> ContainerSeen | None:
    """An instance's own container, when it runs in a network that its web container has left; mostly None."""
    inner, outer = [await engine.container(names.container(activity, role, part)) for role in ("app", "web")]
    if inner is None or outer is None or not (inner.running and outer.running):
        return None
    if inner.started_at is None or outer.started_at is None or inner.started_at >= outer.started_at:
        return None
    return inner
