"""An authority of this daemon's own, for laptops and demos: who trusts its certificate gets no warnings."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deployd.certificates.authority import NotIssued
from deployd.certificates.certificate import Certificate, new_key, parse_certificate
from deployd.certificates.storage import write
from deployd.clock import Clock

AUTHORITY_DAYS, HOST_DAYS = 3650, 90
SKEW = timedelta(hours=1)
"""Clocks of visitors may be behind ours."""


class LocalAuthority:
    """Signs whatever it is asked for. Its key never leaves the state folder."""

    kind = "local"

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    @property
    def certificate(self) -> Path:
        """What people have to trust."""
        return self._folder / "authority.pem"

    def ensure_made(self) -> None:
        """Have a certificate, before anybody is to trust it. Blocking."""
        self._own()

    def why_not(self, host: str) -> str:
        return ""

    async def issue(self, host: str) -> Certificate:
        try:
            return await asyncio.to_thread(self.sign, host)
        except ValueError as error:   # a name that no certificate can hold: letters that are not ASCII, mostly
            raise NotIssued(
                f"no certificate can be made for this name: {error}", where=host,
                hint="write the name in its ASCII form (xn--…) in the routes or domains",
            ) from None

    def sign(self, host: str) -> Certificate:
        """Blocking.

        Raises:
            ValueError: No certificate can have that name.
        """
        authority, key = self._own()
        host_key, host_pem = new_key()
        now = self._clock.now()
        signed = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.subject)
            .public_key(host_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + timedelta(days=HOST_DAYS))
            .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=True)   # the subject is empty
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return parse_certificate(signed.public_bytes(Encoding.PEM).decode(), host_pem)

    def _own(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """The authority's certificate and key, made at the first time."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = self._folder / "authority.key"
        if not (secret.is_file() and self.certificate.is_file()):
            made, pem = new_key()
            write(self.certificate, self._made(made).public_bytes(Encoding.PEM).decode(), 0o644)
            write(secret, pem, 0o600)   # last: with both there, all is there
        key = load_pem_private_key(secret.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), secret
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()), key

    def _made(self, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"deployd on {socket.gethostname()}"[:64])])
        now = self._clock.now()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_only(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _signs_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )
