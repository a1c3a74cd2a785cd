"""Certificates as a keystore of Java, which reads no PEM, in the format that every JDK reads. Pure."""

from __future__ import annotations

import binascii
import hashlib
import re
import struct
from collections.abc import Iterator

MAGIC, VERSION, TRUSTED = 0xFEEDFEED, 2, 2
PASSWORD = "changeit"   # that of every JDK's own, which protects nothing: certificates are public
WHITENER = b"Mighty Aphrodite"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
SEQUENCE = b"\x30"


def render_keystore(pem: str) -> bytes:
    """A JKS file that trusts every certificate of a text; the same text gives the same bytes."""
    found = list(dict.fromkeys(_certificates(pem)))
    entries = b"".join(_entry(number, der) for number, der in enumerate(found))
    content = struct.pack(">III", MAGIC, VERSION, len(found)) + entries
    return content + hashlib.sha1(PASSWORD.encode("utf-16-be") + WHITENER + content, usedforsecurity=False).digest()


def _certificates(pem: str) -> Iterator[bytes]:
    """Those that can be read: a JDK refuses a keystore with one that cannot."""
    for text in PEM.findall(pem):
        try:
            der = binascii.a2b_base64(text, strict_mode=False)
        except binascii.Error:
            continue
        if der.startswith(SEQUENCE):
            yield der


def _entry(number: int, der: bytes) -> bytes:
    """A certificate under a name of its own, with no date."""
    return b"".join((
        struct.pack(">I", TRUSTED), _text(f"host-{number}"), struct.pack(">Q", 0), _text("X.509"),
        struct.pack(">I", len(der)), der,
    ))


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()
