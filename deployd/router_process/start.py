"""The router as the settings want it, running."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import structlog

from deployd.catalogue import Catalogue
from deployd.engine.engine import Engine
from deployd.engine.errors import ImageNotMade
from deployd.engine.observed import ContainerSeen
from deployd.errors import DeployError
from deployd.router.control import Router, RouterAbsent
from deployd.router_process.container import WantedRouter, router_name
from deployd.router_process.default_certificate import ensure_default_certificate
from deployd.router_process.files import RouterNotConfigured
from deployd.router_process.nginx_conf import RouterConfig, routes_memory_mb
from deployd.router_process.upgrade import ensure_router
from deployd.settings import Settings, config_folder

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RouterStarted:
    wanted: WantedRouter
    troubles: tuple[str, ...] = ()
    """Why it runs as it did before, and not as it is wanted."""
    upgrade_waits: bool = False
    """It is of an earlier image until the one before it has ended."""


async def start_router(engine: Engine, router: Router, settings: Settings, catalogue: Catalogue) -> RouterStarted:
    """Have the router run; one that runs is reloaded when its settings have changed, and taken over from when its image
    has.

    Raises:
        RouterAbsent: It does not start; its last lines are the evidence.
    """
    name = router_name(settings.instance)
    image, image_id, troubles = await _image(engine, catalogue, await engine.container(name))
    certificates = settings.state / "certs" if settings.router.https_port else None
    certificate, key = await ensure_default_certificate(certificates) if certificates else (None, None)
    config = RouterConfig(
        address=settings.router.address, http_port=settings.router.http_port, workers=settings.router.workers,
        max_held=settings.router.max_held, freeze_seconds=settings.freeze_seconds,
        cache_mb=settings.router.cache_mb, https_port=settings.router.https_port,
        http3=settings.router.http3, access_log=settings.router.access_log_mb > 0,
        client_requests_per_second=settings.router.client_requests_per_second,
        client_burst=settings.router.client_burst, client_connections=settings.router.client_connections,
        client_exempt=settings.router.client_exempt,
        projects=tuple(sorted(settings.projects)), project_requests=settings.router.project_requests,
        project_routes_mb=settings.router.project_routes_mb,
        routes_mb=routes_memory_mb(len(settings.projects), settings.router.project_routes_mb),
        certificate=PurePosixPath(certificate) if certificate else None,
        certificate_key=PurePosixPath(key) if key else None,
    )
    wanted = WantedRouter(
        settings.instance, image, image_id, settings.run, config_folder() / "router", config, certificates,
        settings.router.memory_mb,
    )
    is_new = await engine.container(name) is None
    try:
        waits = not await ensure_router(engine, router, wanted)
    except RouterNotConfigured as error:   # visitors are served: by the router that there was
        return RouterStarted(wanted, (*troubles, _told(error)))
    except RouterAbsent as error:
        lines = await engine.last_lines(name, 5)
        if is_new:   # nobody is served by it, and Docker would start it again for ever
            await engine.ensure_container_gone(name, stop_seconds=0)
        port = settings.router.http_port
        raise RouterAbsent(
            f"the router did not start on {settings.router.address}:{port}", where="router", evidence=lines,
            hint="often another program has the port: stop it, or choose another with router.http_port",
        ) from error
    return RouterStarted(wanted, troubles, waits)


async def _image(
    engine: Engine, catalogue: Catalogue, running: ContainerSeen | None,
) -> tuple[str, str, tuple[str, ...]]:
    """(image, its id, why it is not the one of the catalogue): one that runs is good while another cannot be had.

    Raises:
        ImageNotMade: It cannot be had, and no router runs.
    """
    entry = catalogue.router
    try:
        images = engine.catalogue_images(catalogue)
        found = await images.ensure(entry, lambda line: log.info("router_image", line=line))
    except ImageNotMade as error:
        if running is None or not running.running:
            raise
        return running.image, running.image_id, (_told(error),)
    return entry.image, found, ()


def _told(error: DeployError) -> str:
    """Why the router is not as it should be, as the status says it; the log has the rest."""
    log.error("router_goes_on_as_it_was", code=error.code, what=error.what, evidence=error.evidence, hint=error.hint)
    return error.what
