"""Certificates on the disk: kept in the state folder, and laid out where the router's workers read them.

    state/certificates/<host>.pem     chain and key; only root may read it
    state/certificates/notes.json     {host: refusals of late}
    run/router/certificates/…         the same, for the group of nginx's workers; made anew at every start
    run/router/challenges/<token>     what a public authority asks for; anybody may read it
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import structlog

from deployd.certificates.certificate import Certificate, CertificateUnusable, parse_certificate
from deployd.router.paths import WWW_DATA

log = structlog.get_logger()

NOTES = "notes.json"
KEY_BEGINS = "-----BEGIN PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Refusals:
    """What an authority said of a host of late."""

    tries: int
    """Refusals in a row."""
    again_at: datetime
    why: str


class CertificateStore:
    """All that is kept. Blocking; files are few and small."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> dict[str, Certificate]:
        """{host: certificate}; one that is damaged is told and left out, and asked for anew."""
        found = {}
        for file in sorted(self._folder.glob("*.pem")):
            try:
                chain, begin, key = file.read_text().partition(KEY_BEGINS)
                found[file.stem] = parse_certificate(chain, begin + key, str(file))
            except (CertificateUnusable, UnicodeDecodeError) as error:
                log.error("certificate_damaged", file=str(file), what=str(error))
        return found

    def keep(self, host: str, certificate: Certificate) -> None:
        self._write(f"{host}.pem", certificate.text)

    def drop(self, host: str) -> None:
        (self._folder / f"{host}.pem").unlink(missing_ok=True)

    def read_refusals(self) -> dict[str, Refusals]:
        try:
            notes = json.loads((self._folder / NOTES).read_text())
            return {host: Refusals(note["tries"], datetime.fromisoformat(note["again_at"]), note["why"])
                    for host, note in notes.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:   # it only says when to ask again
            log.error("certificate_notes_damaged", file=str(self._folder / NOTES), what=str(error))
            return {}

    def keep_refusals(self, refusals: Mapping[str, Refusals]) -> None:
        notes = {host: {**asdict(note), "again_at": note.again_at.isoformat()} for host, note in refusals.items()}
        self._write(NOTES, json.dumps(notes, indent=1))

    def _write(self, name: str, text: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(self._folder / name, text, 0o600)


class RouterCertificates:
    """What the router sees. Blocking."""

    def __init__(self, certificates: Path) -> None:
        """
        Args:
            certificates: The folder; the router's files make it, with its owner and mode.
        """
        self._folder = certificates
        self._shown: dict[str, str] = {}

    def show(self, certificates: Mapping[str, Certificate]) -> dict[str, str]:
        """Have exactly these there: {name: certificate}

        Returns:
            {name: why it cannot be shown}: it is too long for a file's name, say.
        """
        failed = {}
        for name, certificate in certificates.items():
            if self._shown.get(name) != certificate.text:
                try:
                    write(self._folder / f"{name}.pem", certificate.text, 0o640, group=WWW_DATA)
                    self._shown[name] = certificate.text
                except (OSError, ValueError) as error:   # tried again at the next look
                    failed[name] = str(error)
        for file in self._folder.glob("*.pem"):
            if file.stem not in certificates:
                file.unlink(missing_ok=True)
                self._shown.pop(file.stem, None)
        return failed


@dataclass(frozen=True, slots=True)
class Storage:
    """Both places in which a certificate lies."""

    store: CertificateStore
    router: RouterCertificates


def write(file: Path, text: str, mode: int, *, group: int | None = None) -> None:
    """Have a file with this text, or the one from before: never half of it, and never seen by others."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
        handle.flush()
        if group is not None:
            os.fchown(handle.fileno(), -1, group)
        os.fchmod(handle.fileno(), mode)
        os.fsync(handle.fileno())
    new.replace(file)
