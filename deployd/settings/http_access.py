"""Who may see an environment."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from deployd.settings.frozen import Frozen

HASHED = re.compile(r"\$[56]\$(?!rounds=)[!-#%-9;-~]+(\$[./0-9A-Za-z]+)?")
"""Two milliseconds a guess. Slower kinds would hold up everybody: nginx's worker waits for the result."""


def _plain_addresses_are_allowed(value: Any) -> Any:
    """`192.0.2.0/24` is short for `{permission: allow, address: 192.0.2.0/24}`."""
    return {"permission": "allow", "address": value} if isinstance(value, str) else value


class AddressPermission(Frozen):
    permission: Literal["allow", "deny"]
    address: str
    """One address, a network, or `any`."""

    @field_validator("address")
    @classmethod
    def _is_a_network(cls, value: str) -> str:
        if value != "any":
            ipaddress.ip_network(value, strict=False)
        return value

    @property
    def networks(self) -> tuple[str, ...]:
        return ("0.0.0.0/0", "::/0") if self.address == "any" else (self.address,)


class HttpAccess(Frozen):
    """Who may see an environment; without anything in it everybody may."""

    basic_auth: dict[str, str] = Field(default_factory=dict)
    """{name: hashed password}. Not a SecretStr: a changed hash must show in what routes are made from."""
    addresses: tuple[Annotated[AddressPermission, BeforeValidator(_plain_addresses_are_allowed)], ...] = ()

    @field_validator("basic_auth")
    @classmethod
    def _passwords_are_hashed(cls, value: dict[str, str]) -> dict[str, str]:
        for name, hashed in value.items():
            if not name or ":" in name or not name.isprintable():
                raise ValueError(f"{name!r} cannot be a name: it is empty, has a colon, or cannot be shown")
            if not HASHED.fullmatch(hashed):
                raise ValueError(f"the password of {name} is not hashed as openssl passwd -6 does it")
        return value
