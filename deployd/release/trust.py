"""Whom containers trust over TLS, where the certificates of the environments' hosts come from nobody who is known.

Their own hosts show certificates of the local authority, or of a company. So containers get the host's store with that
authority in it, in the place of the image's; programs that have stores of their own are told by variables.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from deployd.engine.trust import STORE
from deployd.release.configuration_files import write_files
from deployd.settings import Settings

VARIABLES = (
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
)
FILE = "ca-certificates.crt"


def local_authority(state: Path) -> Path:
    """Folder of the local authority's certificate and key."""
    return state / "certificates" / "local-authority"


async def ensure_trust(settings: Settings) -> Path | None:
    """Have the store that containers get; None: the image's own will do."""
    tls = settings.tls
    more = {"local": local_authority(settings.state) / "authority.pem", "acme": tls.acme.trust}.get(tls.certificates)
    text = await asyncio.to_thread(_joined, more) if more is not None else ""
    if not text:
        return None
    folder = settings.state / "certificates" / "containers"
    await write_files(folder, {FILE: text})
    return folder / FILE


def _joined(more: Path) -> str:
    """Empty when it is not there (yet)."""
    try:
        added = more.read_text()
    except OSError:
        return ""
    return "\n".join((STORE.read_text() if STORE.is_file() else "", added))
