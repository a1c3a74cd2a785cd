"""What is live stays live: Docker's events are followed, and what ended or came back is repaired.

    an event of a container ──► its environment is looked at
    every minute, and when a broken stream of events is back ──► one survey; what it does not find well is looked at
    looked at: containers that Docker gave up on are started, with growing pauses; those that somebody removed are made
               again; the router is told new addresses
    nginx was started anew ──► all routes and freezes are put back, then `complete`

Most containers come back by Docker's own restart policy; then only their addresses matter here. Environments in which a
deployment is at work are left to it (`ownership.py`), and looked at when it is through.

Surprise: `docker stop` of a live container does not last, and `docker rm` neither. What is live runs, or its
environment is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.engine.names import ROLE, Names, environment_of, instance_labels
from deployd.engine.observed import EventSeen
from deployd.errors import DeployError
from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.release.ports import Host
from deployd.release.version import Version
from deployd.state.store import Store
from deployd.upkeep.back_off import BackOff
from deployd.upkeep.ownership import read_keys
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.recreate import Recreate, recreate
from deployd.upkeep.repair import Repairer, left_behind
from deployd.upkeep.router_repair import AGAIN_SECONDS, RouterRepairer
from deployd.upkeep.survey import Survey

log = structlog.get_logger()

SWEEP_SECONDS = 60.0
SETTLE_SECONDS = 0.3
"""After an event: Docker's own restart takes 0.1 s and more, and events come in crowds."""
SURE_SECONDS = 2.0
"""Docker says that a container died before its lists say so: whoever looks at once may see it running."""
FAILED_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
AT_ONCE = 4
TELLING = frozenset({"die", "start", "destroy", "health_status: unhealthy", "health_status: healthy"})
LOOK_AT = "the look at "
ROUTER = EnvironmentId(ProjectId(""), EnvironmentName("router"))
"""Stands among the environments for the router itself; no project has an empty name."""


class Watch:
    """Looks after everything that is live."""

    def __init__(
        self, store: Store, host: Host, reconciler: Reconciler, router: RouterRepairer, *,
        recreate: Recreate = recreate, boundary: ErrorBoundary | None = None,
        hear: Sequence[Callable[[EventSeen], None]] = (),
    ) -> None:
        """
        Args:
            hear: Who is told of every event too.
        """
        self._boundary = boundary or ErrorBoundary("watch")
        self._store = store
        self._host = host
        self._reconciler = reconciler
        self._router = router
        self._back_off = BackOff()
        self._repairer = Repairer(store, host, reconciler, self._back_off, recreate, self._boundary)
        self._listeners = hear
        self._troubles: dict[EnvironmentId, str] = {}
        self._tended: dict[EnvironmentId, asyncio.Event] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def degraded(self) -> tuple[str, ...]:
        """What is not as it should be, one sentence for each environment."""
        return tuple(self._troubles[key] for key in sorted(self._troubles))

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(group), name="docker events")
            while True:
                await asyncio.sleep(SWEEP_SECONDS)
                with self._boundary.contain("the look at all environments"):
                    await self._sweep(group)

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        pause = 1.0
        while True:
            with self._boundary.contain("following Docker's events"):
                try:
                    async with self._host.engine.events(instance_labels(self._host.settings.instance)) as events:
                        # After the following has begun: nothing falls in between.
                        group.create_task(self._find_left_behind(await self._sweep(group), group), name="left behind")
                        pause = 1.0
                        while (event := await events.take()) is not None:
                            with self._boundary.contain(f"an event of {event.name}"):
                                self._hear(event, group)
                    log.warning("docker_events_ended", again_in=pause)
                except DeployError as error:
                    log.warning("docker_events_ended", what=error.what, again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _hear(self, event: EventSeen, group: asyncio.TaskGroup) -> None:
        for listener in self._listeners:
            listener(event)
        role = event.labels.get(ROLE)
        if event.kind != "container" or event.action not in TELLING:
            return
        if event.action == "die":
            self._back_off.died(event.name, asyncio.get_running_loop().time())
        if role == "router":
            self._notice(ROUTER, group)
        elif role in ("service", "app", "web", "worker"):
            environment = environment_of(event.labels)
            if environment is not None:
                self._notice(environment, group)

    async def _sweep(self, group: asyncio.TaskGroup) -> Mapping[EnvironmentId, Version]:
        """Notice all but those that one survey finds well. Gives these: {environment: what is live}"""
        survey = None
        with self._boundary.contain("one survey of all environments"), suppress(DeployError):
            survey = await self._reconciler.survey()
        if survey is None:   # told by the looks at each, and repaired there
            survey = Survey(frozenset(await read_keys(self._store)), {})
        kept = {ROUTER, *survey.live, *survey.untold}
        self._boundary.keep_only(map(_look_at, kept), beginning=LOOK_AT)
        for gone in self._troubles.keys() - kept:
            del self._troubles[gone]
        for key in (ROUTER, *(survey.live - survey.well.keys()), *survey.untold, *self._troubles):
            self._notice(key, group)
        return survey.well

    async def _find_left_behind(self, well: Mapping[EnvironmentId, Version], group: asyncio.TaskGroup) -> None:
        """Notice applications whose web containers came back while nobody followed the events: lists do not show it."""
        for key, version in well.items():
            with self._boundary.contain(f"looking for what was left behind in {key}") as tried:
                names = Names(self._host.settings.instance, key)
                for part in (part for app in version.apps for part in app.webs):
                    if await left_behind(self._host.engine, names, version.home(part), part):
                        self._notice(key, group)
            if tried.failed:   # told by the closer look
                self._boundary.succeeded(f"looking for what was left behind in {key}")
                self._notice(key, group)

    def _notice(self, key: EnvironmentId, group: asyncio.TaskGroup) -> None:
        if key not in self._tended:
            self._tended[key] = asyncio.Event()
            group.create_task(self._tend(key), name=f"tend {key}")
        self._tended[key].set()

    async def _tend(self, key: EnvironmentId) -> None:
        """Look at an environment until there is nothing more to do."""
        noticed = self._tended[key]
        again: float | None = None
        try:
            while noticed.is_set() or again is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(again):
                        await noticed.wait()
                        await asyncio.sleep(SETTLE_SECONDS if key != ROUTER else 0)
                news = noticed.is_set()
                noticed.clear()
                async with self._slots:
                    again = await self._look_contained(key)
                if again is None and news:
                    again = SURE_SECONDS
        finally:
            del self._tended[key]   # no await since the last look at `noticed`

    async def _look_contained(self, key: EnvironmentId) -> float | None:
        """The look whose unexpected failure ends neither the looks at others nor the next one at this."""
        with self._boundary.contain(_look_at(key)) as tried:
            return await self._look_told(key)
        return min(tried.again_in, LONGEST_PAUSE_SECONDS)

    async def _look_told(self, key: EnvironmentId) -> float | None:
        try:
            look = await (self._router.look(self._back_off) if key == ROUTER else self._repairer.look_at(key))
        except DeployError as error:
            self._tell(key, (error.what,))
            return AGAIN_SECONDS if key == ROUTER else FAILED_SECONDS
        if look.wrong is not None:
            self._tell(key, look.wrong)
        return look.again_in

    def _tell(self, key: EnvironmentId, wrong: tuple[str, ...]) -> None:
        text = "; ".join(wrong)
        if wrong and self._troubles.get(key) is None:
            log.warning("environment_degraded", project=key[0], environment=key[1], what=text)
        elif not wrong and key in self._troubles:
            log.info("environment_well_again", project=key[0], environment=key[1])
        if wrong:
            self._troubles[key] = text if key == ROUTER else f"{key[0]}/{key[1]}: {text}"
        else:
            self._troubles.pop(key, None)


def _look_at(key: EnvironmentId) -> str:
    return f"{LOOK_AT}{'/'.join(key).strip('/')}"
