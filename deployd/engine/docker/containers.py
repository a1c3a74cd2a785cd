"""Containers: ensured, started, stopped, looked at, gone. What each call promises stands in `engine/engine.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.edge import LIMIT_SECONDS, ask
from deployd.engine.docker.probes import is_alive
from deployd.engine.docker.read import read_container, read_listed_container
from deployd.engine.docker.render import render_container
from deployd.engine.errors import EngineOverran, EngineRefused, NameTaken, NotThere
from deployd.engine.observed import ContainerSeen
from deployd.engine.specs import ContainerSpec

LONGEST_STOP_SECONDS = 600
GONE_SECONDS = 60
"""How long Docker may take to remove a container that has ended; it deletes its layer meanwhile."""


class Containers(Connection):
    async def container(self, name: str) -> ContainerSeen | None:
        docker = self.docker
        try:
            found = await ask(f"look at the container {name}", docker.containers.container(name).show())
        except NotThere:
            return None
        seen = read_container(found)
        return seen if name in (seen.name, seen.id) else None   # Docker also takes the beginning of an id

    async def containers(self, labels: Mapping[str, str]) -> tuple[ContainerSeen, ...]:
        found = await self._get(
            "list containers", "containers/json", {"all": "1", "filters": label_filter(labels)},
        )
        return tuple(read_listed_container(item) for item in found)

    async def create(self, spec: ContainerSpec) -> None:
        what = f"create the container {spec.name}"
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while True:
                    try:
                        await ask(what, self.docker.containers.create(render_container(spec), name=spec.name))
                    except NameTaken:
                        # Docker gives the name away before the container can be seen: another caller is at it.
                        if await self.container(spec.name) is None:
                            await asyncio.sleep(0.05)
                            continue
                    return
        except TimeoutError:
            raise NameTaken(f"cannot {what}: its name is taken by something that is no container of ours") from None

    async def start(self, name: str) -> None:
        await ask(f"start the container {name}", self.docker.containers.container(name).start())

    async def ensure_container(self, spec: ContainerSpec) -> ContainerSeen:
        there = await self.container(spec.name)
        if there is None:
            await self.create(spec)
        if there is None or not there.running:
            await self.start(spec.name)
            there = await self.container(spec.name)
        if there is None:
            raise NotThere(f"cannot start the container {spec.name}: it was removed meanwhile")
        return there

    async def stop(self, name: str, stop_seconds: int | None = None) -> None:
        limit = LIMIT_SECONDS + (LONGEST_STOP_SECONDS if stop_seconds is None else stop_seconds)
        with suppress(NotThere):
            await ask(f"stop the container {name}", self.docker.containers.container(name).stop(t=stop_seconds), limit)

    async def ensure_container_gone(self, name: str, stop_seconds: int | None = None) -> None:
        if stop_seconds != 0:
            await self.stop(name, stop_seconds)
        try:
            await ask(f"remove the container {name}", self.docker.containers.container(name).delete(force=True, v=True))
        except NotThere:
            return
        except EngineRefused as error:
            if "already in progress" not in error.what:
                raise
            await self._wait_until_gone(name)

    async def ensure_renamed(self, name: str, to: str) -> None:
        try:
            await ask(f"rename the container {name}", self.docker.containers.container(name).rename(to))
        except NotThere:
            if await self.container(to) is None:
                raise

    async def send_signal(self, name: str, signal: str) -> None:
        await ask(f"signal the container {name}", self.docker.containers.container(name).kill(signal=signal))

    async def wait_until_ended(self, name: str, limit_seconds: float) -> int:
        answer = await ask(
            f"wait for the end of {name}", self.docker.containers.container(name).wait(), limit_seconds,
        )
        return int(answer["StatusCode"])

    async def wait_until_dead(self, seen: ContainerSeen) -> None:
        """The kernel is asked: with its first process all the others have ended. Docker says so only when it has taken
        the network down too, some 60 ms later, and answers no other question meanwhile."""
        if seen.pid is None:
            return
        try:
            async with asyncio.timeout(GONE_SECONDS):
                while await asyncio.to_thread(is_alive, seen.pid):   # noqa: ASYNC110  the kernel tells nobody
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise EngineOverran(f"the container {seen.name} has not ended after {GONE_SECONDS} s") from None

    async def _wait_until_gone(self, name: str) -> None:
        try:
            async with asyncio.timeout(GONE_SECONDS):
                while await self.container(name) is not None:   # noqa: ASYNC110  Docker has no call to wait for this
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise EngineOverran(f"cannot remove the container {name}: Docker is still at it") from None


def label_filter(labels: Mapping[str, str]) -> str:
    """Docker's `filters` parameter."""
    return json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})
