"""All readers of what containers print, and where the sources of an environment are found."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from weakref import WeakSet

from deployd.clock import Clock
from deployd.engine.container_cache import ContainerCache
from deployd.engine.engine import Engine
from deployd.engine.errors import EngineRefused
from deployd.engine.names import environment_of
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.output.follower import AT_ONCE, OutputFollower, Span
from deployd.output.reader import Clean, time_of
from deployd.output.sources import OutputFilter, Source, cron_sources, distinct, kept_sources, source_of

Folder = Callable[[EnvironmentId], Path]
TIME_OF_LINE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
LOOK_AGAIN_SECONDS = 10.0
"""For crons that ran for the first time: nobody tells of them."""


class Outputs:
    """Follows what an environment prints, for as many readers as there are."""

    def __init__(
        self, engine: Engine, cache: ContainerCache, kept: Folder, crons: Folder, clean: Clean, clock: Clock,
    ) -> None:
        """
        Args:
            kept: Where it is kept of an environment's containers that went.
            crons: Where the runs of its crons are written down.
        """
        self._engine = engine
        self._cache = cache
        self._kept = kept
        self._crons = crons
        self._clean = clean
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._followers: WeakSet[OutputFollower] = WeakSet()

    async def follow(
        self, environment: EnvironmentId, wanted: OutputFilter, *, start: str, lines: int | None,
    ) -> OutputFollower:
        """
        Args:
            start: No line that is older; empty: all.
            lines: The last ones only, and those that come.

        Raises:
            DeployError: Docker does not say what there is.
        """
        look = _Look(self, environment, wanted)
        await look.begin()
        span = Span(start, time_of(self._clock.now().isoformat()), lines)
        follower = OutputFollower(
            look.find, environment, self._clean, self._turns, span, readers=lambda: len(self._followers),
        )
        self._followers.add(follower)
        return follower

    def end_followers(self) -> None:
        """Let all readers stop: the daemon does."""
        for follower in self._followers:
            follower.end()

    async def sources(self, environment: EnvironmentId) -> list[Source]:
        """Everything that printed something in an environment, or may."""
        containers = [
            item for item in await self._cache.containers()
            if environment_of(item.labels) == environment
        ]
        logs = [await self._engine.log_file(item.id) for item in containers]
        if logs and not await asyncio.to_thread(logs[0].parent.parent.is_dir):
            raise EngineRefused(
                f"cannot read what containers print: Docker says that it is in {logs[0].parent.parent}, and it is not",
                hint="deployd has to run on the host of its Docker, and see the same folders",
            )
        there = [source_of(item, file) for item, file in zip(containers, logs, strict=True)]
        return distinct([
            *(source for source in there if source is not None),
            *await asyncio.to_thread(lambda: [*kept_sources(self._kept(environment))]),
            *await asyncio.to_thread(lambda: [*cron_sources(self._crons(environment))]),
        ])

    @property
    def seen(self) -> int:
        """Another number when containers came or went."""
        return self._cache.generation


class _Look:
    """What one reader knows of where to look."""

    def __init__(self, outputs: Outputs, environment: EnvironmentId, wanted: OutputFilter) -> None:
        self._outputs = outputs
        self._of = environment
        self._wanted = wanted
        self._found: list[Source] | None = None
        self._seen = -1
        self._looked = 0.0

    async def begin(self) -> None:
        """Look for the first time, while it can be told what is wrong."""
        self._found = await self._look()

    async def find(self) -> list[Source] | None:
        now = asyncio.get_running_loop().time()
        found, self._found = self._found, None
        if found is None:
            if self._seen == self._outputs.seen and now - self._looked < LOOK_AGAIN_SECONDS:
                return None
            try:
                found = await self._look()
            except DeployError:   # Docker is away: what is known goes on being read, and it is asked again
                return None
        return [source for source in found if self._wanted.has(source)]

    async def _look(self) -> list[Source]:
        self._looked = asyncio.get_running_loop().time()
        self._seen = self._outputs.seen   # before the look: what is heard meanwhile is looked at next time
        return await self._outputs.sources(self._of)


def place_after(line: str) -> str | None:
    """The place behind a line, by its time as it stands there; None: that is no time of a line."""
    return line[:-1] + "\0" if TIME_OF_LINE.fullmatch(line) else None   # the least text that is greater


def place_of(moment: datetime) -> str:
    """A date as a place in the output."""
    return time_of(moment.isoformat())
