"""Networks, volumes and images: looked at, ensured, gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.containers import label_filter
from deployd.engine.docker.edge import ask
from deployd.engine.docker.image_recipes import RECIPE_LABEL
from deployd.engine.docker.render import render_network, render_volume
from deployd.engine.errors import EngineRefused, NotThere, StillInUse
from deployd.engine.observed import ImageSeen, NetworkSeen, VolumeSeen, read_image, read_network, read_volume
from deployd.engine.specs import NetworkSpec, VolumeSpec


class Networks(Connection):
    async def network(self, name: str) -> NetworkSeen | None:
        try:
            found = await self._get(f"look at the network {name}", f"networks/{name}", {})
        except NotThere:
            return None
        seen = read_network(found)
        return seen if name in (seen.name, seen.id) else None

    async def networks(self, labels: Mapping[str, str]) -> tuple[NetworkSeen, ...]:
        """Networks that carry all of these labels; no labels: every network of the host, for its subnet."""
        found = await self._get("list networks", "networks", {"filters": label_filter(labels)})
        return tuple(read_network(item) for item in found)

    async def ensure_network(self, spec: NetworkSpec) -> NetworkSeen:
        """Have a network of this name; one that is there keeps the subnet it has.

        Raises:
            SubnetTaken: Another network or a route of the host has addresses of this subnet.
        """
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
        """Remove a network; gone already is fine.

        Raises:
            StillInUse: Containers are on it.
        """
        there = await self.network(name)
        if there is not None:
            with suppress(NotThere):
                await ask(f"remove the network {name}", (await self.docker.networks.get(there.id)).delete())

    async def connect(self, network: str, container: str, aliases: Sequence[str] = ()) -> None:
        """Put a container on one more network; there already is fine.

        Raises:
            NotThere: One of them does not exist.
        """
        what = f"connect {container} to the network {network}"
        found = await ask(what, self.docker.networks.get(network))
        try:
            await ask(what, found.connect({"Container": container, "EndpointConfig": {"Aliases": list(aliases)}}))
        except EngineRefused as error:
            if "already exists in network" not in error.what:
                raise

    async def disconnect(self, network: str, container: str) -> None:
        """Take a container from a network; not on it, or either of them gone, is fine."""
        what = f"disconnect {container} from the network {network}"
        with suppress(NotThere):
            found = await ask(what, self.docker.networks.get(network))
            try:
                await ask(what, found.disconnect({"Container": container, "Force": True}))
            except EngineRefused as error:
                if "is not connected to" not in error.what:
                    raise


class Volumes(Connection):
    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeSeen, ...]:
        """Volumes that carry all of these labels."""
        found = await self._get("list volumes", "volumes", {"filters": label_filter(labels)})
        return tuple(read_volume(item) for item in found["Volumes"] or ())

    async def ensure_volume(self, spec: VolumeSpec) -> None:
        """Have a volume of this name; Docker itself keeps one that is there, with its data."""
        volumes: Any = self.docker.volumes      # the library has no types here
        await ask(f"create the volume {spec.name}", volumes.create(render_volume(spec)))

    async def ensure_volume_gone(self, name: str) -> None:
        """Remove a volume and its data; gone already is fine.

        Raises:
            StillInUse: A container has it, running or not.
        """
        with suppress(NotThere):
            volumes: Any = self.docker.volumes
            volume = await ask(f"look at the volume {name}", volumes.get(name))
            await ask(f"remove the volume {name}", volume.delete())

    async def replaced_images(self) -> tuple[ImageSeen, ...]:
        """Images that deployd made, that have lost their name to a newer one and that no container has."""
        wanted = {"label": [RECIPE_LABEL], "dangling": ["true"]}
        found = await self._get("list images", "images/json", {"filters": json.dumps(wanted)})
        used = {item["ImageID"] for item in await self._get("list containers", "containers/json", {"all": "1"})}
        return tuple(
            ImageSeen(item["Id"], item.get("Labels") or {}, int(item["Size"])) for item in found
            if item["Id"] not in used
        )

    async def images_bytes(self) -> int:
        """What all images take on the disk, what several have in common once."""
        found = await self._get("count images", "system/df", {"type": "image"})
        return int(found.get("LayersSize") or 0)

    async def remove_image(self, image: str) -> bool:
        """Remove an image. False: a container or another image has it; gone already is fine."""
        try:
            await ask(f"remove the image {image}", self.docker.images.delete(image))
        except NotThere:
            return True
        except (EngineRefused, StillInUse):
            return False
        return True

    async def image(self, reference: str) -> ImageSeen | None:
        """The image of this name or id, if it is on this host."""
        try:
            return read_image(await self._get(f"look at the image {reference}", f"images/{reference}/json", {}))
        except NotThere:
            return None
