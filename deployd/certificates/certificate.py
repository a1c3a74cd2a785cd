"""A certificate with its key, as text and as facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from deployd.errors import DeployError


class CertificateUnusable(DeployError):
    """A certificate or its key cannot be read, or the two do not belong together."""

    code: ClassVar[str] = "certificate-unusable"


@dataclass(frozen=True, slots=True)
class Certificate:
    chain: str
    """PEM, the host's own first."""
    key: str
    """PEM, without a password."""
    names: tuple[str, ...]
    """Hosts that it is for; `*.example.com` is for all of one level."""
    begins: datetime
    ends: datetime

    @property
    def text(self) -> str:
        """All of it in one file, as the router reads it."""
        return f"{self.chain.strip()}\n{self.key.strip()}\n"


def parse_certificate(chain: str, key: str, where: str = "") -> Certificate:
    """
    Args:
        chain: PEM, the host's own certificate first.
        key: PEM of the key.
        where: Named in errors.

    Raises:
        CertificateUnusable: One of them is not PEM, or the key is another one's.
    """
    try:
        found = x509.load_pem_x509_certificates(chain.encode())[0]
        own = load_pem_private_key(key.encode(), None).public_key()
    except (ValueError, TypeError) as error:   # TypeError: the key has a password
        raise CertificateUnusable(f"cannot read the certificate or its key: {error}", where=where) from None
    if own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != found.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo,
    ):
        raise CertificateUnusable("the key is not the one of the certificate", where=where,
                                  hint="name the key with which the certificate was asked for")
    return Certificate(chain, key, _names(found), found.not_valid_before_utc, found.not_valid_after_utc)


def new_key() -> tuple[ec.EllipticCurvePrivateKey, str]:
    """A key on P-256, and its PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return (*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *addresses)
