"""What becomes of the mails that applications send."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from deployd.settings import valid
from deployd.settings.frozen import MOST_DAYS, Frozen
from deployd.settings.hosts import host_name

MAILBOX = re.compile(r"[!-;=?A-~]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)
RELAY_PORTS = {"smtp": 587, "smtps": 465}
LONGEST_USER = 200


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """Where a relay is."""

    host: str
    port: int
    tls: bool
    """From the first byte; without it by STARTTLS, where the relay offers it or a password is sent."""
    user: str


def parse_relay(text: str) -> RelayAddress:
    """
    Raises:
        ValueError: It is no address of a relay; the text has no password in it.
    """
    wrong = "a relay is written as smtp://relay.example.com:587 or smtps://user@relay.example.com"
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise ValueError(wrong) from None
    more = url.path not in ("", "/") or url.query or url.fragment
    if host is None or port == 0 or url.scheme not in RELAY_PORTS or more or not text.isprintable():
        raise ValueError(wrong)
    if url.password is not None:
        raise ValueError("the relay's password is a key of its own, `password`")
    if ":" not in host:
        host = host_name(host)
    user = unquote(url.username or "")
    if len(user) > LONGEST_USER or not user.isprintable():
        raise ValueError("the relay's user has a line end in it, or more characters than any")
    return RelayAddress(host, port or RELAY_PORTS[url.scheme], url.scheme == "smtps", user)


class MailRelay(Frozen):
    """Whom the mails of production are handed to."""

    relay: str | None = None
    """`smtp://user@host:587`, `smtps://user@host`; None: the mails stay in the box."""
    password: SecretStr | None = None
    """Of the user in `relay`."""
    sender: str | None = None
    """The envelope's sender, for relays that take only theirs; None: as the application says."""

    @field_validator("relay")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_relay(value)
        return value

    @field_validator("password")
    @classmethod
    def _password_can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            valid.secret(value.get_secret_value())
        return value

    @field_validator("sender")
    @classmethod
    def _is_a_mailbox(cls, value: str | None) -> str | None:
        if value is not None and not MAILBOX.fullmatch(value):
            raise ValueError(f"{value!r} is not an address as deploy@example.com")
        return value

    @model_validator(mode="after")
    def _user_and_password_belong_together(self) -> MailRelay:
        if (self.password is not None) != bool(self.relay and parse_relay(self.relay).user):
            raise ValueError("a relay with a password has a user, as smtps://user@relay.example.com, and the reverse")
        return self


class MailSettings(MailRelay):
    """What becomes of the mails that applications send."""

    enabled: bool = True
    """False: containers are told that there is no mail, and nobody listens for it."""
    port: int = Field(8425, ge=1025, le=valid.LAST_PORT)
    """Of the host, on the addresses of environments' networks; containers see port 25."""
    message_mb: int = Field(25, ge=1, le=1000)
    keep_days: float = Field(14, gt=0, le=MOST_DAYS)
    """How long a mail stays in its box."""
