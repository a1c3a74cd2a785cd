"""Who comes by SSH, and how much of it."""

from __future__ import annotations

from pydantic import Field, field_validator

from deployd.settings import valid
from deployd.settings.frozen import Frozen

USUAL_PORT = 22
NOWHERE = ("0.0.0.0", "::", "127.0.0.1", "::1")
"""Addresses that say nothing to anybody elsewhere."""


class SshSettings(Frozen):
    listen: str | None = None
    """`0.0.0.0:2222`; None: nobody listens for SSH."""
    address: str = ""
    """`deploy.example.com:2222`, as people reach it; shown in addresses of repositories. Without a port it is 22.
    Empty: the host of `public_url`, else that of `listen`, with the port of `listen`."""
    idle_minutes: int = Field(60, ge=1, le=10_080)
    """A connection on which nothing moves for so long is ended."""
    connections: int = Field(1000, ge=1, le=10_000)
    """That have authenticated, of all people together."""
    connections_of_address: int = Field(200, ge=1, le=10_000)
    connections_of_key: int = Field(100, ge=1, le=10_000)
    sessions_of_key: int = Field(100, ge=1, le=10_000)
    """Each may have some megabytes under way."""
    handshakes: int = Field(200, ge=10, le=10_000)
    """Connections that have not authenticated yet, of all addresses; of more, the oldest is ended."""

    @field_validator("listen")
    @classmethod
    def _listen_names_a_port(cls, value: str | None) -> str | None:
        return value and valid.address_and_port(value)

    @field_validator("address")
    @classmethod
    def _address_is_one(cls, value: str) -> str:
        if value:
            host, port = _parts(value)
            valid.address_and_port(f"{f'[{host}]' if ':' in host else host}:{port}")
        return value

    @property
    def listen_address(self) -> tuple[str, int] | None:
        """(host, port); None: nobody listens."""
        return None if self.listen is None else (_parts(self.listen)[0] or "127.0.0.1", _parts(self.listen)[1])

    def reached_at(self, public_host: str) -> tuple[str, int] | None:
        """(host, port) as people reach it; None: nobody listens.

        Args:
            public_host: Of `public_url`; empty: there is none.
        """
        where = self.listen_address
        if where is None:
            return None
        if self.address:
            return _parts(self.address)
        host, port = where
        return public_host or ("localhost" if host in NOWHERE else host), port


def _parts(text: str) -> tuple[str, int]:
    """(host, port) of `host:port`, `host`, `[::1]:22`, `[::1]`.

    Raises:
        ValueError: The port is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), USUAL_PORT
    return host.strip("[]"), int(port)
