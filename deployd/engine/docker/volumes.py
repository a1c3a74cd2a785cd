"""Volumes: looked at, ensured, gone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.containers import label_filter
from deployd.engine.docker.edge import ask
from deployd.engine.docker.read import read_volume
from deployd.engine.docker.render import render_volume
from deployd.engine.errors import NotThere
from deployd.engine.observed import VolumeSeen
from deployd.engine.specs import VolumeSpec


class Volumes(Connection):
    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeSeen, ...]:
        found = await self._get("list volumes", "volumes", {"filters": label_filter(labels)})
        return tuple(read_volume(item) for item in found["Volumes"] or ())

    async def ensure_volume(self, spec: VolumeSpec) -> None:
        """Docker itself keeps one that is there."""
        volumes: Any = self.docker.volumes      # the library has no types here
        await ask(f"create the volume {spec.name}", volumes.create(render_volume(spec)))

    async def ensure_volume_gone(self, name: str) -> None:
        with suppress(NotThere):
            volumes: Any = self.docker.volumes
            volume = await ask(f"look at the volume {name}", volumes.get(name))
            await ask(f"remove the volume {name}", volume.delete())
