"""The key by which people recognise this server: made once, kept, shown.

Ed25519 alone: every client of the last ten years has it, and there is one fingerprint to compare.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from deployd.errors import DeployError

NAME = "host_ed25519"


class HostKeyUnusable(DeployError):
    """The server's own key cannot be read, or cannot be kept."""

    code: ClassVar[str] = "ssh-host-key-unusable"


@dataclass(frozen=True, slots=True)
class HostKey:
    private: str
    """As OpenSSH writes it."""
    public: str
    """`ssh-ed25519 AAAA…`, as it stands in `known_hosts` behind the host's name."""

    @property
    def kind(self) -> str:
        return self.public.split(" ")[0]

    @property
    def fingerprint(self) -> str:
        """As ssh shows it when it asks whether to go on connecting."""
        digest = hashlib.sha256(base64.b64decode(self.public.split(" ")[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def ensure_host_key(folder: Path) -> HostKey:
    """The key that is kept there, made when there is none.

    Raises:
        HostKeyUnusable: What is there is no such key, or none can be kept.
    """
    path = folder / NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write(path, Ed25519PrivateKey.generate())
        return _read(path)
    except OSError as error:
        raise HostKeyUnusable(
            f"the SSH host key cannot be kept: {error.strerror or error}", where=str(path), hint="look at the disk",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise HostKeyUnusable(
            "the SSH host key cannot be read", where=str(path),
            hint="put back a copy; without it, remove the file: a new one is made, and every client will warn",
        ) from None


def _read(path: Path) -> HostKey:
    text = path.read_bytes()
    key = load_ssh_private_key(text, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("another kind")
    return HostKey(text.decode(), key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        file.flush()
        os.fsync(number)
    beside.rename(path)
