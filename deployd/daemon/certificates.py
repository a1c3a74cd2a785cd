"""The keeper of certificates as the settings want it."""

from __future__ import annotations

import asyncio

from deployd.activity.error_boundary import ErrorBoundary
from deployd.certificates.acme import AcmeAuthority
from deployd.certificates.authority import Authority
from deployd.certificates.local import LocalAuthority
from deployd.certificates.manager import Keeper
from deployd.certificates.storage import Shelf, Window
from deployd.certificates.wanted import Wanted
from deployd.daemon.edges import Edges
from deployd.release.trust import local_authority
from deployd.router.paths import RouterPlaces
from deployd.settings import Settings


async def ensure_authority(edges: Edges, settings: Settings) -> None:
    """Have the local authority's certificate, where there is one: the first containers trust it already."""
    if settings.tls.certificates == "local":
        await asyncio.to_thread(LocalAuthority(local_authority(settings.state), edges.clock).ensure_made)


def certificate_keeper(edges: Edges, settings: Settings, boundary: ErrorBoundary) -> Keeper:
    """Each kind of authority has a shelf of its own: what the local one signed is not shown when ACME is chosen."""
    tls, places, folder = settings.tls, RouterPlaces(settings.run), settings.state / "certificates"
    authorities: dict[str, Authority] = {
        "acme": AcmeAuthority(tls.acme, folder, places.challenges),
        "local": LocalAuthority(local_authority(settings.state), edges.clock),
    }
    return Keeper(
        Wanted(edges.store, settings, boundary), Shelf(folder / tls.certificates), Window(places.certificates),
        edges.clock, authorities.get(tls.certificates), tls.own, boundary=boundary,
    )
