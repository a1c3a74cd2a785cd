"""Persons, and what they prove who they are with: tokens and SSH keys. Pure values; `state/people.py` keeps them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import struct
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from deployd.access.roles import EVERY, Role, Roles, role_in
from deployd.errors import Unusable

PERSON_ID = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
LONGEST_ID, LONGEST_TEXT = 40, 100
LONGEST_KEY_BYTES = 2_200
"""RSA of 16,384 bits, which is the longest that OpenSSL looks at."""
TOKEN_PREFIX = "deployd_"
"""Programs that look for secrets in repositories find ours by it."""
TOKEN_BYTES = 32
EMAIL = re.compile(r"[^@\s<>\"']{1,64}@[A-Za-z0-9.-]{1,190}")
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
             "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
LEAST_RSA_BITS = 3072
"""What NIST SP 800-57 asks for until 2030 and after."""


class PersonUnusable(Unusable):
    """A name, an address, a role or a label cannot be taken as it is."""

    code: ClassVar[str] = "person-unusable"


class PublicKeyUnusable(Unusable):
    """A text is no public key of SSH, or one that is too weak."""

    code: ClassVar[str] = "public-key-unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: str
    """Lower-case word, for commands and as the owner of activities."""
    name: str
    email: str = ""
    roles: Roles = field(default_factory=dict)
    """`EVERY`: the role of the host."""
    since: datetime
    left: datetime | None = None
    """Since when none of their keys and tokens is taken; what they did keeps their name."""

    def may(self, least: Role, project: str) -> bool:
        """Whether they are there, and have at least this role in a project."""
        role = role_in(self.roles, project)
        return self.left is None and role is not None and role.includes(least)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalToken:
    number: int
    person: str
    label: str
    digest: str
    """SHA-256 of the secret, hexadecimal: 256 random bits need no slow hash."""
    role: Role
    """The most that it does, whatever its owner may."""
    projects: tuple[str, ...] = (EVERY,)
    since: datetime
    ends: datetime | None
    used: datetime | None = None
    """Last, to a minute."""
    used_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    number: int
    person: str
    label: str
    blob: bytes
    """As SSH sends it."""
    since: datetime
    used: datetime | None = None
    used_from: str = ""

    @property
    def type(self) -> str:
        return type_of(self.blob)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True)
class People:
    """All that the state knows."""

    persons: tuple[Person, ...] = ()
    tokens: tuple[PersonalToken, ...] = ()
    keys: tuple[PublicKey, ...] = ()


def make_secret() -> str:
    """Of a new token, 51 characters."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def fingerprint(blob: bytes) -> str:
    """`SHA256:…`, as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def type_of(blob: bytes) -> str:
    """`ssh-ed25519`, …; it stands in the key itself. Empty: it is none."""
    return _field(blob)[0].decode("ascii", "replace")


def read_key(text: str) -> tuple[bytes, str]:
    """(key, comment) of a line as in `id_ed25519.pub`.

    Raises:
        PublicKeyUnusable: It is none, or too weak.
    """
    words = text.strip().split(None, 2)
    if "PRIVATE KEY" in text:
        raise PublicKeyUnusable("this is a private key: it is for nobody but its owner",
                          hint="give the file that ends with .pub, and make a new key if others saw this one")
    if len(text.strip().splitlines()) != 1 or len(words) < 2:
        raise PublicKeyUnusable("this is no public key of SSH", hint="one line like `ssh-ed25519 AAAA… name`")
    if words[0] not in KEY_TYPES:
        raise PublicKeyUnusable(f"keys of the type {words[0][:40]!r} are not taken",
                          hint="make one with: ssh-keygen -t ed25519")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise PublicKeyUnusable("the public key is not whole", hint="copy the whole line of the .pub file") from None
    if len(blob) > LONGEST_KEY_BYTES:
        raise PublicKeyUnusable("this public key is too long: RSA has 16,384 bits at most",
                                hint="make one with: ssh-keygen -t ed25519")
    if type_of(blob) != words[0]:
        raise PublicKeyUnusable(f"what stands in the key is not of the type {words[0]}",
                                hint="copy the whole line again")
    if words[0] == "ssh-rsa" and rsa_bits(blob) < LEAST_RSA_BITS:
        raise PublicKeyUnusable(f"an RSA key of {rsa_bits(blob)} bits is too short: {LEAST_RSA_BITS} is the least",
                          hint="make one with: ssh-keygen -t ed25519")
    return blob, (words[2] if len(words) > 2 else "")[:LONGEST_TEXT]


def rsa_bits(blob: bytes) -> int:
    """Of the modulus; 0 when there is none."""
    _, rest = _field(blob)
    _, rest = _field(rest)   # the exponent
    modulus, _ = _field(rest)
    return int.from_bytes(modulus, "big").bit_length()


def _field(blob: bytes) -> tuple[bytes, bytes]:
    """(first field, rest) of a string as RFC 4251 writes it."""
    if len(blob) < 4:
        return b"", b""
    (length,) = struct.unpack(">I", blob[:4])
    return (blob[4:4 + length], blob[4 + length:]) if length <= len(blob) - 4 else (b"", b"")
