"""The manager of certificates and the local authority, as the settings want them."""

from __future__ import annotations

import asyncio

from deployd.activity.error_boundary import ErrorBoundary
from deployd.certificates.authority import Authority
from deployd.certificates.hosts import HttpsHosts
from deployd.certificates.interim import InterimCertificates
from deployd.certificates.local import LocalAuthority
from deployd.certificates.manager import CertificateManager
from deployd.certificates.storage import CertificateStore, RouterCertificates, Storage
from deployd.daemon.resources import Resources
from deployd.release.trust import local_authority
from deployd.router.paths import RouterPlaces
from deployd.settings import Settings


async def ensure_authority(resources: Resources, settings: Settings) -> None:
    """Have the local authority's certificate, where there is one: the first containers trust it already."""
    if settings.router.https_port is not None:
        await asyncio.to_thread(LocalAuthority(local_authority(settings.state), resources.clock).ensure_made)


def interim_certificates(resources: Resources, settings: Settings) -> InterimCertificates | None:
    """None: nobody comes over TLS."""
    if settings.router.https_port is None:
        return None
    return InterimCertificates(LocalAuthority(local_authority(settings.state), resources.clock), resources.clock)


def certificate_manager(
    resources: Resources, settings: Settings, boundary: ErrorBoundary, interim: InterimCertificates | None,
) -> CertificateManager:
    """Each kind of authority has a store of its own: what the local one signed is not shown when ACME is chosen."""
    tls, places, folder = settings.tls, RouterPlaces(settings.run), settings.state / "certificates"
    storage = Storage(CertificateStore(folder / tls.certificates), RouterCertificates(places.certificates))
    return CertificateManager(
        HttpsHosts(resources.store, settings, boundary), storage, resources.clock, _authority(resources, settings),
        tls.own, interim=interim, boundary=boundary,
    )


def _authority(resources: Resources, settings: Settings) -> Authority | None:
    """Who signs; None: nobody of ours."""
    if settings.tls.certificates == "acme":
        # What speaks its protocol takes a tenth of a start, and 6 MB: only who asks it pays that.
        from deployd.certificates.acme import AcmeAuthority

        return AcmeAuthority(settings.tls.acme, settings.state / "certificates", RouterPlaces(settings.run).challenges)
    if settings.tls.certificates == "local":
        return LocalAuthority(local_authority(settings.state), resources.clock)
    return None
