"""Secrets as they stand in the database: encrypted, and good for the row only that they were made for. Pure.

AES-GCM with 256 bits. What a row is about (project, environment, service, name) is authenticated with it, so that
nobody who can write the database gives one environment the password of another. A sealed text names its key, so that
several can be in use during a change of keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Sequence
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deployd.errors import DeployError

PREFIX = "sealed:1:"
"""No password of ours has a colon: what stands in the database without it is from before there were keys."""
KEY_BYTES = 32
NONCE_BYTES = 12
NAME_CHARACTERS = 8


class KeyWrong(DeployError):
    """Secrets in the database were sealed with a key that is not there."""

    code: ClassVar[str] = "key-wrong"


class Sealer:
    """Seals with the first of its keys, and opens with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a sealer needs a key")
        self._keys = {key_name(key): AESGCM(key) for key in keys}
        self._first = key_name(keys[0])

    def seal(self, text: str, *about: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._keys[self._first].encrypt(nonce, text.encode(), _about(about))
        return f"{PREFIX}{self._first}:{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, *about: str) -> str:
        """
        Args:
            about: The same as when it was sealed.

        Raises:
            KeyWrong: Its key is not there, or it was changed, or moved here from another row.
        """
        name, _, data = sealed.removeprefix(PREFIX).partition(":")
        try:
            raw = base64.b64decode(data, validate=True)
            return self._keys[name].decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _about(about)).decode()
        except KeyError:
            raise KeyWrong(
                f"a secret of {'/'.join(about)} was sealed with the key {name[:NAME_CHARACTERS]}, which is not there",
                hint="put that key into the key file again, below the one that is to be used from now on",
            ) from None
        except (InvalidTag, binascii.Error, ValueError):
            raise KeyWrong(
                f"a secret of {'/'.join(about)} cannot be opened: it was changed, or moved here from another row",
                hint="restore the database from a backup",
            ) from None

    def is_current(self, stored: str) -> bool:
        """Whether it is sealed, and with the key that seals now."""
        return stored.startswith(f"{PREFIX}{self._first}:")


def is_sealed(stored: str) -> bool:
    return stored.startswith(PREFIX)


def key_name(key: bytes) -> str:
    """Tells keys apart, and tells nothing of them."""
    return hashlib.sha256(b"deployd key" + key).hexdigest()[:NAME_CHARACTERS]


def _about(words: Sequence[str]) -> bytes:
    return json.dumps(words).encode()
