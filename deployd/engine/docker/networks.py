"""Networks: looked at, ensured, gone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.containers import label_filter
from deployd.engine.docker.edge import ask
from deployd.engine.docker.read import read_network
from deployd.engine.docker.render import render_network
from deployd.engine.errors import EngineRefused, NotThere
from deployd.engine.observed import NetworkSeen
from deployd.engine.specs import NetworkSpec


class Networks(Connection):
    async def network(self, name: str) -> NetworkSeen | None:
        try:
            found = await self._get(f"look at the network {name}", f"networks/{name}", {})
        except NotThere:
            return None
        seen = read_network(found)
        return seen if name in (seen.name, seen.id) else None

    async def networks(self, labels: Mapping[str, str]) -> tuple[NetworkSeen, ...]:
        found = await self._get("list networks", "networks", {"filters": label_filter(labels)})
        return tuple(read_network(item) for item in found)

    async def ensure_network(self, spec: NetworkSpec) -> NetworkSeen:
        there = await self.network(spec.name)
        if there is None:
            # One at a time for a name: Docker checks it and creates in two steps, and two callers get two of one name.
            turn = self._creating_networks.setdefault(spec.name, asyncio.Lock())
            async with turn:
                there = await self.network(spec.name) or await self._create_network(spec)
        if there is None:
            raise NotThere(f"cannot create the network {spec.name}: it was removed meanwhile")
        return there

    async def _create_network(self, spec: NetworkSpec) -> NetworkSeen | None:
        try:
            await ask(f"create the network {spec.name}", self.docker.networks.create(render_network(spec)))
        except EngineRefused as error:
            if "already exists" not in error.what:   # another daemon was faster, which is as good
                raise
        return await self.network(spec.name)

    async def ensure_network_gone(self, name: str) -> None:
        there = await self.network(name)
        if there is not None:
            with suppress(NotThere):
                await ask(f"remove the network {name}", (await self.docker.networks.get(there.id)).delete())
