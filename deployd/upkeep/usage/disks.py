"""What mounts and data of services take on the disk, counted by `du` one after the other, and not often.

One round begins ten minutes after the last one, or later: counting may take a hundredth of the time and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

from deployd.activity.error_boundary import ErrorBoundary
from deployd.confined.trees import size_of
from deployd.engine.engine import Engine
from deployd.engine.names import ACTIVITY, ENVIRONMENT, PART, PROJECT, instance_labels
from deployd.release.paths import Places
from deployd.upkeep.usage.parts import Part

FIRST_SECONDS = 60.0
"""After the daemon's start, which has enough to do."""
PAUSE_SECONDS = 600.0
SHARE = 100
"""One part in so many of the time is for counting."""
LIMIT_SECONDS = 60.0
"""For one folder; one with more files is not told."""
SHARED = "shared"


class Disks:
    """Knows what was counted last."""

    def __init__(self, engine: Engine, places: Places, instance: str, boundary: ErrorBoundary) -> None:
        self._engine = engine
        self._places = places
        self._instance = instance
        self._boundary = boundary
        self.known: Mapping[Part, int] = {}
        """{part: bytes}"""

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            began = loop.time()
            with self._boundary.contain("counting what is on the disk"):
                await self.count()
            await asyncio.sleep(max(PAUSE_SECONDS, SHARE * (loop.time() - began)))

    async def count(self) -> None:
        """One round."""
        folders = await asyncio.to_thread(lambda: [*self._mounts()]) + await self._volumes()
        found: dict[Part, int] = {}
        for part, folder in folders:
            where = f"{part.name} of {part.project}/{part.environment}"
            with self._boundary.contain(f"counting what {where} has on the disk"):
                found[part] = await size_of(folder, limit_seconds=LIMIT_SECONDS)
        self.known = found

    def _mounts(self) -> Iterator[tuple[Part, Path]]:
        for data in self._places.all_data():
            environment = data.parent
            for folder in data.iterdir():
                kind = SHARED if folder.name == SHARED else "worker" if "--" in folder.name else "app"
                yield Part(environment.parent.name, environment.name, kind, folder.name), folder

    async def _volumes(self) -> list[tuple[Part, Path]]:
        volumes = await self._engine.volumes(instance_labels(self._instance))
        return [
            (Part(item.labels[PROJECT], item.labels[ENVIRONMENT], "service", item.labels[PART]), item.folder)
            for item in volumes if {PROJECT, ENVIRONMENT, PART} <= item.labels.keys() and ACTIVITY not in item.labels
        ]
