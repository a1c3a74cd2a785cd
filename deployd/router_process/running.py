"""The router's process as it is now: looked at, waited for, and given another configuration after a test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from deployd.engine.engine import Engine
from deployd.engine.names import DIGEST, PART
from deployd.engine.observed import ContainerSeen
from deployd.router.control import Router, RouterAbsent, RouterUnanswered
from deployd.router.paths import SEATS, RouterPlaces
from deployd.router_process.container import WantedRouter, earlier_name, router_name
from deployd.router_process.files import RouterNotConfigured, use, write_router_files

START_SECONDS = 15.0
MOST_STARTS = 3
SEE_ITS_LOG = "docker logs --tail 20 of its container says why; often a port is taken by another program"
RELOAD_SECONDS = 5.0
"""nginx tries for two and a half to get a port that is taken."""


@dataclass(frozen=True, slots=True)
class Seated:
    """A router's container, and what its nginx says."""

    container: ContainerSeen
    places: RouterPlaces
    runs: str | None
    """Folder of the configuration that it runs with; None: nobody answers at its control socket. The engine's word that
    a container runs is not enough: it says so of one that ends and starts again and again."""

    @property
    def serves(self) -> bool:
        return self.runs is not None

    @property
    def digest(self) -> str | None:
        return self.container.labels.get(DIGEST)


@dataclass(frozen=True, slots=True)
class RouterProcess:
    """The process of the router, and that of the one before as long as it is there."""

    engine: Engine
    router: Router
    wanted: WantedRouter

    @property
    def name(self) -> str:
        return router_name(self.wanted.instance)

    @property
    def earlier(self) -> str:
        """The name of the one that another one has taken over from."""
        return earlier_name(self.wanted.instance)

    async def look(self, name: str) -> Seated | None:
        there = await self.engine.container(name)
        if there is None:
            return None
        seat = there.labels.get(PART)
        places = self.wanted.places(seat if seat in SEATS else SEATS[0])
        runs = await self.router.configuration(places) if there.running and seat in SEATS else None
        return Seated(there, places, runs)

    async def is_coming_up(self) -> bool:
        """False for one that the engine starts again and again."""
        there = await self.engine.container(self.name)
        return there is not None and there.running and there.restarts < MOST_STARTS

    async def wait_until_listening(self) -> None:
        """
        Raises:
            RouterAbsent: It does not come up.
        """
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._listens_now():
                    if not await self.is_coming_up():
                        raise RouterAbsent("the router ended several times before it listened", hint=SEE_ITS_LOG)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RouterAbsent(f"the router did not start within {START_SECONDS:.0f} s", hint=SEE_ITS_LOG) from None

    async def has_visitors(self, seen: Seated) -> bool:
        """Whether visitors come to it; no: it has been told to listen no more."""
        return seen.runs != str(await self.without_visitors(seen.places))

    async def without_visitors(self, places: RouterPlaces) -> Path:
        """The folder of a configuration in which nobody is listened for."""
        config = replace(self.wanted.config, visitors=False)
        return await asyncio.to_thread(write_router_files, self.wanted.source, places, config)

    async def reload(self, name: str, places: RouterPlaces, folder: Path) -> None:
        """Let a running router take another configuration, after nginx itself has tested it.

        Raises:
            RouterNotConfigured: It does not; the one before stays in use.
        """
        ran = await self.engine.execute(name, ("nginx", "-t", "-q", "-c", str(folder / "nginx.conf")))
        if ran.status != 0:
            raise RouterNotConfigured(
                "nginx does not accept the router's configuration; the one before stays in use",
                where=name, evidence=tuple((ran.stderr or ran.stdout).decode(errors="replace").splitlines()[-10:]),
                hint="correct the router's settings; the lines above say what nginx does not like",
            )
        before = await asyncio.to_thread(places.current.resolve)
        await asyncio.to_thread(use, places, folder)
        await self.engine.send_signal(name, "HUP")
        if not await self._comes_to(places, folder):   # a port that is taken shows only when it begins
            await asyncio.to_thread(use, places, before)
            raise RouterNotConfigured(
                "nginx cannot begin with the router's new configuration; the one before stays in use",
                where=name, evidence=await self.engine.last_lines(name, 5),
                hint="often another program has the port: stop it, or choose another with router.http_port",
            )

    async def _comes_to(self, places: RouterPlaces, folder: Path) -> bool:
        try:
            async with asyncio.timeout(RELOAD_SECONDS):
                while await self.router.configuration(places) != str(folder):   # noqa: ASYNC110  nginx tells nobody
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return False
        return True

    async def _listens_now(self) -> bool:
        try:
            await self.router.status(environments=False)
        except (RouterAbsent, RouterUnanswered):
            return False
        return True
