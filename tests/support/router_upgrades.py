"""One router after the other: a real Engine, and an upgrade as the daemon makes it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from deployd.engine.docker.engine import Engine
from deployd.router.control import Router, open_router
from deployd.router.paths import RouterPlaces
from deployd.router_process.container import WantedRouter, earlier_name, router_name
from deployd.router_process.default_certificate import ensure_default_certificate
from deployd.router_process.earlier import end_earlier
from deployd.router_process.nginx_conf import RouterConfig
from deployd.router_process.upgrade import ensure_router
from tests.support.router_stand import IMAGE, SOURCE, Stand, docker, ensure_image, free_port


@dataclass
class Upgrades:
    """One router after the other."""

    engine: Engine
    router: Router
    wanted: WantedRouter
    stand: Stand

    async def upgrade(self) -> bool:
        """Another image is wanted from now on. Returns whether it is there, or waits."""
        self.wanted = replace(self.wanted, image_id=secrets.token_hex(4))
        return await ensure_router(self.engine, self.router, self.wanted)

    async def let_end(self) -> None:
        async with asyncio.timeout(60):
            while not await end_earlier(self.engine, self.router, self.wanted):
                pass

    async def names(self) -> set[str]:
        found = await self.engine.containers({"deployd": self.wanted.instance})
        return {container.name for container in found}


@asynccontextmanager
async def open_upgrades() -> AsyncIterator[Upgrades]:
    """A first router, with TLS and HTTP/3; the last one is gone afterwards."""
    ensure_image()
    folder, instance = Path(tempfile.mkdtemp(prefix="dr-")), f"test-router-{secrets.token_hex(3)}"
    port = free_port()
    certificate, key = await ensure_default_certificate(folder / "certs")
    config = RouterConfig(
        address="127.0.0.1", http_port=port, https_port=free_port(), certificate=PurePosixPath(certificate),
        certificate_key=PurePosixPath(key), http3=True,
    )
    wanted = WantedRouter(instance, IMAGE, "one", folder, SOURCE, config, folder / "certs", goodbye_seconds=1)
    places = RouterPlaces(folder)
    try:
        async with Engine() as engine, open_router(places) as router:
            await ensure_router(engine, router, wanted)
            await router.complete()
            yield Upgrades(engine, router, wanted, Stand(places, config, router_name(instance), port))
    finally:
        docker("rm", "-f", router_name(instance), earlier_name(instance), check=False)
        shutil.rmtree(folder, ignore_errors=True)
