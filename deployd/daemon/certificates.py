"""The keeper of certificates as the settings want it."""

from __future__ import annotations

from deployd.activity.net import Net
from deployd.certificates.acme import AcmeAuthority
from deployd.certificates.authority import Authority
from deployd.certificates.keeper import Keeper
from deployd.certificates.local import LocalAuthority
from deployd.certificates.shelf import Shelf, Window
from deployd.certificates.wanted import Wanted
from deployd.daemon.edges import Edges
from deployd.router.places import RouterPlaces
from deployd.settings import Settings


def certificate_keeper(edges: Edges, settings: Settings, net: Net) -> Keeper:
    """Each kind of authority has a shelf of its own: what the local one signed is not shown when ACME is chosen."""
    tls, places, folder = settings.tls, RouterPlaces(settings.run), settings.state / "certificates"
    authorities: dict[str, Authority] = {
        "acme": AcmeAuthority(tls.acme, folder, places.challenges),
        "local": LocalAuthority(folder / "local-authority", edges.clock),
    }
    return Keeper(
        Wanted(edges.store, settings, net), Shelf(folder / tls.certificates), Window(places.certificates), edges.clock,
        authorities.get(tls.certificates), tls.own, net=net,
    )
