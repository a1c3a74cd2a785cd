"""What an image is made of, as a digest and as a build context. Reads folders; makes nothing.

The digest stands in a label of the image. It covers the files of the folder, the build arguments and the base's own
digest, so that a changed Dockerfile is noticed, and so is one below it. The host's certificates are not in it: no image
that runs has them, and they change more often than what is made by their help.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from deployd.catalogue import Build, Catalogue, Entry
from deployd.engine.trust import STORE
from deployd.errors import DeployError

RECIPE_LABEL = "deployd.recipe"

DEBIAN_OPTIONS = (
    "--variant=minbase",
    "--aptopt=Acquire::Languages \"none\"",
    "--aptopt=APT::Install-Recommends \"false\"",
    "--dpkgopt=force-unsafe-io",   # an image that was half written is thrown away, so nothing is gained by syncing
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-include=/usr/share/locale/locale.alias",
)
OUTDATED_INDEX = ("--aptopt=Acquire::Check-Valid-Until \"false\"",)
BASE_DOCKERFILE = b'FROM scratch\nADD base.tar /\nCMD ["bash"]\n'


def mmdebstrap_command(entry: Entry, output: Path) -> tuple[str, ...]:
    """The program that makes a Debian base as a tar file."""
    options = (*DEBIAN_OPTIONS, *(OUTDATED_INDEX if entry.outdated_index else ()))
    return ("mmdebstrap", *options, f"--include={','.join(entry.packages)}", str(entry.suite), str(output))


class NoDockerfile(DeployError):
    """The folder that the catalogue names for an image has no Dockerfile."""

    code: ClassVar[str] = "no-dockerfile"


def recipe_digest(catalogue: Catalogue, entry: Entry) -> str | None:
    """Changes when the image must be made again; None when it is not made here."""
    if entry.suite:
        parts: object = [entry.image, mmdebstrap_command(entry, Path("base.tar")), BASE_DOCKERFILE.decode()]
    elif entry.build:
        parts = [
            entry.image, entry.build.arguments,
            *(recipe_digest(catalogue, catalogue.bases[name]) for name in entry.build.below.values()),
            [[path, mode, hashlib.sha256(content).hexdigest()] for path, mode, content in _files(entry.build)],
        ]
    else:
        return None
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def build_context(build: Build) -> bytes:
    """The folder as a compressed tar; owners and dates are left out, so that the builder's cache fits everywhere."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for path, mode, content in _files(build):
            _add(tar, path, mode, content)
        if build.host_certificates:
            _add(tar, "trust.crt", 0o644, STORE.read_bytes() if STORE.is_file() else b"")
    return buffer.getvalue()


def write_base_context(base: Path, context: Path) -> None:
    """Put a base's tar beside the Dockerfile that unpacks it into an empty image."""
    with tarfile.open(context, mode="w") as tar:
        _add(tar, "Dockerfile", 0o644, BASE_DOCKERFILE)
        tar.add(base, arcname="base.tar")


def _add(tar: tarfile.TarFile, path: str, mode: int, content: bytes) -> None:
    info = tarfile.TarInfo(path)
    info.mode, info.size = mode, len(content)
    tar.addfile(info, io.BytesIO(content))


def _files(build: Build) -> Iterator[tuple[str, int, bytes]]:
    if not (build.folder / "Dockerfile").is_file():
        raise NoDockerfile(f"there is no Dockerfile in {build.folder}", where="the catalogue",
                           hint="correct `folder` of the image in the catalogue, or put a Dockerfile there")
    for file in sorted(build.folder.rglob("*")):
        if file.is_file():
            mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            yield str(file.relative_to(build.folder)), mode, file.read_bytes()
