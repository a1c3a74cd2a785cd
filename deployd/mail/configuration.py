"""What the daemon tells the mail server: whose mails come from which network, and who takes them further. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, ip_address


@dataclass(frozen=True, slots=True)
class Relay:
    """Whom mails are handed to."""

    host: str
    port: int
    tls: bool
    user: str
    password: str
    sender: str
    """In place of the envelope's; empty: as the application says."""


@dataclass(frozen=True, slots=True)
class MailEnvironment:
    """An environment as the mail server knows it."""

    project: str
    environment: str
    subnet: str
    """CIDR. Who comes from it is the environment, whatever he says."""
    box_bytes: int
    per_minute: int
    relay: Relay | None = None
    """None: its mails stay in the box."""

    @property
    def name(self) -> str:
        return f"{self.project}/{self.environment}"

    @property
    def gateway(self) -> str:
        """The host's address in its network: Docker takes the first one."""
        return str(IPv4Network(self.subnet)[1])

    def is_home_of(self, peer: str) -> bool:
        """Whether an address is one of its network."""
        try:
            return ip_address(peer) in IPv4Network(self.subnet)
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class MailConfiguration:
    """All that the mail server has to know."""

    port: int
    message_bytes: int
    keep_seconds: float
    least_free_bytes: int
    """Of the disk; with less no mail is taken."""
    environments: tuple[MailEnvironment, ...]


def write_configuration(configuration: MailConfiguration) -> bytes:
    return json.dumps(asdict(configuration)).encode() + b"\n"


def parse_configuration(line: bytes) -> MailConfiguration:
    found = json.loads(line)
    environments = tuple(
        MailEnvironment(**{**item, "relay": Relay(**item["relay"]) if item["relay"] else None})
        for item in found["environments"]
    )
    return MailConfiguration(**{**found, "environments": environments})
