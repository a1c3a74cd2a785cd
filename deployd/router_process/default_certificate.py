"""A certificate for hosts that have none of their own: signed by itself, so that TLS works from the first moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from deployd.process import run

DAYS = 3650


async def ensure_default_certificate(folder: Path) -> tuple[Path, Path]:
    """`default.pem` and `default.key` in the folder, made with openssl when they are not there; own files are kept."""
    certificate, key = folder / "default.pem", folder / "default.key"
    if not (certificate.is_file() and key.is_file()):
        await asyncio.to_thread(folder.mkdir, 0o700, parents=True, exist_ok=True)
        await run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", str(DAYS), "-subj", "/CN=deployd default certificate", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", str(key), "-out", str(certificate),
        )
        key.chmod(0o600)
    return certificate, key
