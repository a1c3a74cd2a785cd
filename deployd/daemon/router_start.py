"""The router as the settings want it, running."""

from __future__ import annotations

from pathlib import PurePosixPath

import structlog

from deployd.catalogue import Catalogue
from deployd.engine.docker import Engine
from deployd.engine.images import Images
from deployd.router.certificate import ensure_default_certificate
from deployd.router.container import ensure_router, router_container, wait_until_listening
from deployd.router.control import Router, RouterAbsent
from deployd.router.places import RouterPlaces
from deployd.router.render_nginx import RouterConfig
from deployd.settings import Settings, config_folder

log = structlog.get_logger()


async def start_router(engine: Engine, router: Router, settings: Settings, catalogue: Catalogue) -> None:
    """Have the router run; one that runs is only reloaded, when its settings have changed.

    Raises:
        RouterAbsent: It does not start; its last lines are the evidence.
    """
    places = RouterPlaces(settings.run)
    images = Images(engine.docker, catalogue)
    image_id = await images.ensure(catalogue.router, lambda line: log.info("router_image", line=line))
    certificates = settings.state / "certs" if settings.router.https_port else None
    spec = router_container(settings.instance, catalogue.router.image, image_id, places, certificates)
    certificate, key = await ensure_default_certificate(certificates) if certificates else (None, None)
    config = RouterConfig(
        run=PurePosixPath(places.folder), socket=PurePosixPath(places.socket), config=PurePosixPath(places.current),
        address=settings.router.address, http_port=settings.router.http_port, workers=settings.router.workers,
        max_held=settings.router.max_held, cache_mb=settings.router.cache_mb, https_port=settings.router.https_port,
        http3=settings.router.http3, access_log=settings.router.access_log_mb > 0,
        client_requests_per_second=settings.router.client_requests_per_second,
        client_burst=settings.router.client_burst, client_connections=settings.router.client_connections,
        client_exempt=settings.router.client_exempt,
        certificate=PurePosixPath(certificate) if certificate else None,
        certificate_key=PurePosixPath(key) if key else None,
    )
    is_new = await engine.container(spec.name) is None
    await ensure_router(engine, spec, config_folder() / "router", places, config)
    try:
        await wait_until_listening(router)
    except RouterAbsent as error:
        lines = await engine.last_lines(spec.name, 5)
        if is_new:   # nobody is served by it, and Docker would start it again for ever
            await engine.ensure_container_gone(spec.name, stop_seconds=0)
        port = settings.router.http_port
        raise RouterAbsent(
            f"the router did not start on {settings.router.address}:{port}", where="router", evidence=lines,
            mend="often another program has the port: stop it, or choose another with router.http_port",
        ) from error
