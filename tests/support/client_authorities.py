"""Authorities that sign certificates of clients, made with openssl as people make them."""

from __future__ import annotations

from pathlib import Path

from deployd.process import run

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


async def make_authority(folder: Path, name: str) -> str:
    """A new authority with one client of the same name: `<name>.pem` and `<name>.key`.

    Returns:
        Its own certificate, PEM.
    """
    async def openssl(*arguments: str) -> None:
        await run("openssl", *arguments, cwd=folder)

    await openssl("req", "-x509", *NEW_KEY, "-days", "9", "-subj", f"/CN=authority {name}",
                  "-keyout", f"{name}-ca.key", "-out", f"{name}-ca.pem")
    await openssl("req", *NEW_KEY, "-subj", f"/O=shop/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    await openssl("x509", "-req", "-days", "9", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem",
                  "-CAkey", f"{name}-ca.key", "-CAcreateserial", "-out", f"{name}.pem")
    return (folder / f"{name}-ca.pem").read_text()
