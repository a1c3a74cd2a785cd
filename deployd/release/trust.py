"""Whom containers trust over TLS: also those who sign for the environments' own hosts and whom nobody else knows.

Their own hosts show certificates of the local authority (all do, until they have others), or of a company. So
containers get the host's store with these in it, in the place of the image's; programs that have stores of their own
are told by variables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deployd.engine.specs import Bind
from deployd.engine.trust import STORE
from deployd.release.configuration_files import write_bytes, write_files
from deployd.release.java_keystore import render_keystore
from deployd.runtimes.runtime import Runtime
from deployd.settings import Settings

VARIABLES = (
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    "HEX_CACERTS_PATH",
)
FILE = "ca-certificates.crt"


def local_authority(state: Path) -> Path:
    """Folder of the local authority's certificate and key."""
    return state / "certificates" / "local-authority"


async def ensure_trust(settings: Settings) -> Path | None:
    """Have the store that containers get; None: the image's own will do."""
    tls, more = settings.tls, []
    serves_tls = settings.router.https_port is not None and await asyncio.to_thread(STORE.is_file)   # else: no loss
    if serves_tls or tls.certificates == "local":
        more.append(local_authority(settings.state) / "authority.pem")
    if tls.certificates == "acme" and tls.acme.trust is not None:
        more.append(tls.acme.trust)
    text = await asyncio.to_thread(_joined, more)
    if not text:
        return None
    folder = _folder(settings.state)
    await write_files(folder, {FILE: text})
    return folder / FILE


async def trust_binds(state: Path, store: Path | None, runtime: Runtime) -> tuple[Bind, ...]:
    """What a container sees in place of its image's stores; nothing where there is no store."""
    if store is None:
        return ()
    own = Bind(str(store), str(STORE), read_only=True)
    if not runtime.keystore:
        return (own,)
    keystore = _folder(state) / ("host.jks" if store == STORE else "containers.jks")
    await write_bytes(keystore, await asyncio.to_thread(lambda: render_keystore(store.read_text())))
    return own, Bind(str(keystore), runtime.keystore, read_only=True)


def _folder(state: Path) -> Path:
    return state / "certificates" / "containers"


def _joined(more: Sequence[Path]) -> str:
    """Empty when none of them is there (yet)."""
    added = []
    for file in more:
        with suppress(OSError):
            added.append(file.read_text())
    return "\n".join((STORE.read_text() if STORE.is_file() else "", *added)) if added else ""
