"""Images that are on this host: looked at, removed. How they come to be there stands in `images.py`."""

from __future__ import annotations

import json

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.edge import ask
from deployd.engine.docker.image_recipes import RECIPE_LABEL
from deployd.engine.docker.read import read_image
from deployd.engine.errors import EngineRefused, NotThere, StillInUse
from deployd.engine.observed import ImageSeen


class ImageStore(Connection):
    async def replaced_images(self) -> tuple[ImageSeen, ...]:
        wanted = {"label": [RECIPE_LABEL], "dangling": ["true"]}
        found = await self._get("list images", "images/json", {"filters": json.dumps(wanted)})
        used = {item["ImageID"] for item in await self._get("list containers", "containers/json", {"all": "1"})}
        return tuple(
            ImageSeen(item["Id"], item.get("Labels") or {}, int(item["Size"])) for item in found
            if item["Id"] not in used
        )

    async def images_bytes(self) -> int:
        found = await self._get("count images", "system/df", {"type": "image"})
        return int(found.get("LayersSize") or 0)

    async def remove_image(self, image: str) -> bool:
        try:
            await ask(f"remove the image {image}", self.docker.images.delete(image))
        except NotThere:
            return True
        except (EngineRefused, StillInUse):
            return False
        return True

    async def image(self, reference: str) -> ImageSeen | None:
        try:
            return read_image(await self._get(f"look at the image {reference}", f"images/{reference}/json", {}))
        except NotThere:
            return None
