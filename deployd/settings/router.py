"""The entry of all environments, and where its certificates come from."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from deployd.settings import valid
from deployd.settings.frozen import MOST, Frozen
from deployd.settings.hosts import host_name


class RouterSettings(Frozen):
    address: str = "0.0.0.0"
    http_port: int = Field(80, ge=1, le=valid.LAST_PORT)
    https_port: int | None = Field(443, ge=1, le=valid.LAST_PORT)
    max_held: int = Field(10_000, ge=1, le=100_000)
    """Requests that one environment may hold in a freeze."""
    workers: int | None = Field(None, ge=1, le=1024)
    """None: one for each core."""
    cache_mb: int = Field(256, ge=1, le=MOST)
    """Answers of applications that are kept, in the run folder."""
    http3: bool = False
    """Answer HTTP/3 too, over UDP on the port of https."""
    access_log_mb: int = Field(10, ge=0, le=MOST)
    """What the access log of one environment may take; 0: there is none."""
    client_requests_per_second: int | None = Field(None, ge=1, le=MOST)
    client_burst: int = Field(100, ge=1, le=MOST)
    client_connections: int | None = Field(None, ge=1, le=MOST)
    client_exempt: tuple[str, ...] = ()
    project_requests: int = Field(4096, ge=1, le=MOST)
    """Requests of one project that are under way at once; each takes two of a worker's 16,384 connections."""
    project_routes_mb: int = Field(16, ge=1, le=1024)
    """What the routes of one project may take of the router's memory."""
    memory_mb: int = Field(2048, ge=256, le=MOST)
    """Of the router's container, with what it keeps in the run folder."""

    @field_validator("address")
    @classmethod
    def _address_is_one(cls, value: str) -> str:
        return valid.address(value)

    @model_validator(mode="after")
    def _ports_are_two(self) -> RouterSettings:
        if self.http_port == self.https_port:
            raise ValueError(f"http_port and https_port are both {self.http_port}; https_port: null for none")
        return self

    @field_validator("client_exempt")
    @classmethod
    def _exempt_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value


class AcmeSettings(Frozen):
    """A public authority that is asked by ACME."""

    directory: str = "https://acme-v02.api.letsencrypt.org/directory"
    email: str | None = None
    agree_to_terms: bool = False
    """To what the authority asks of who has an account there."""
    trust: Path | None = None
    """PEM of who signed the directory's own certificate; None: those that everybody trusts."""

    @field_validator("directory")
    @classmethod
    def _directory_is_an_address(cls, value: str) -> str:
        if not value:
            raise ValueError("it is empty; leave it out for Let's Encrypt")
        valid.web_url(value)
        return value

    @field_validator("email")
    @classmethod
    def _email_has_a_host(cls, value: str | None) -> str | None:
        if value is not None:
            name, at, host = value.rpartition("@")
            if not at or not name or not name.isascii() or " " in value:
                raise ValueError(f"{value!r} is not an address of mail, as ops@example.com")
            host_name(host)
        return value

    @field_validator("trust")
    @classmethod
    def _trust_is_absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else valid.absolute(value)


class OwnCertificate(Frozen):
    """A certificate that the operator brings; a file that is replaced is read again."""

    certificate: Path
    """PEM, the host's own first."""
    key: Path

    @field_validator("certificate", "key")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return valid.absolute(value)


class TlsSettings(Frozen):
    """Where certificates come from."""

    certificates: Literal["none", "local", "acme"] = "none"
    acme: AcmeSettings = AcmeSettings()
    own: tuple[OwnCertificate, ...] = ()

    @model_validator(mode="after")
    def _terms_are_agreed_to(self) -> TlsSettings:
        if self.certificates == "acme" and not self.acme.agree_to_terms:
            raise ValueError("the authority's terms have to be agreed to: write `acme: {agree_to_terms: true}`")
        return self
