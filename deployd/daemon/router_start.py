"""The router as the settings want it, running."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import structlog

from deployd.catalogue import Catalogue
from deployd.engine.docker import Engine
from deployd.engine.images import Images
from deployd.router.certificate import ensure_default_certificate
from deployd.router.container import router_name
from deployd.router.control import Router, RouterAbsent
from deployd.router.files import RouterNotConfigured
from deployd.router.hand_over import WantedRouter, ensure_router
from deployd.router.render_nginx import RouterConfig
from deployd.settings import Settings, config_folder

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RouterStarted:
    wanted: WantedRouter
    troubles: tuple[str, ...] = ()
    """Why it runs as it did before, and not as it is wanted."""


async def start_router(engine: Engine, router: Router, settings: Settings, catalogue: Catalogue) -> RouterStarted:
    """Have the router run; one that runs is reloaded when its settings have changed, and taken over from when its image
    has.

    Raises:
        RouterAbsent: It does not start; its last lines are the evidence.
    """
    image_id = await Images(engine.docker, catalogue).ensure(
        catalogue.router, lambda line: log.info("router_image", line=line),
    )
    certificates = settings.state / "certs" if settings.router.https_port else None
    certificate, key = await ensure_default_certificate(certificates) if certificates else (None, None)
    config = RouterConfig(
        address=settings.router.address, http_port=settings.router.http_port, workers=settings.router.workers,
        max_held=settings.router.max_held, cache_mb=settings.router.cache_mb, https_port=settings.router.https_port,
        http3=settings.router.http3, access_log=settings.router.access_log_mb > 0,
        client_requests_per_second=settings.router.client_requests_per_second,
        client_burst=settings.router.client_burst, client_connections=settings.router.client_connections,
        client_exempt=settings.router.client_exempt,
        certificate=PurePosixPath(certificate) if certificate else None,
        certificate_key=PurePosixPath(key) if key else None,
    )
    wanted = WantedRouter(
        settings.instance, catalogue.router.image, image_id, settings.run, config_folder() / "router", config,
        certificates,
    )
    name = router_name(settings.instance)
    is_new = await engine.container(name) is None
    try:
        await ensure_router(engine, router, wanted)
    except RouterNotConfigured as error:   # visitors are served: by the router that there was
        log.error("router_not_configured", what=error.what, evidence=error.evidence)
        return RouterStarted(wanted, (error.what,))
    except RouterAbsent as error:
        lines = await engine.last_lines(name, 5)
        if is_new:   # nobody is served by it, and Docker would start it again for ever
            await engine.ensure_container_gone(name, stop_seconds=0)
        port = settings.router.http_port
        raise RouterAbsent(
            f"the router did not start on {settings.router.address}:{port}", where="router", evidence=lines,
            mend="often another program has the port: stop it, or choose another with router.http_port",
        ) from error
    return RouterStarted(wanted)
