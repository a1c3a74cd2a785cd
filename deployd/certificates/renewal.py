"""Whether a host can have a certificate, when one is to be renewed, and how long to wait after a refusal. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from datetime import datetime, timedelta

from deployd.certificates.certificate import Certificate

LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
NUMBER = re.compile(r"[0-9]+")
NOT_PUBLIC = frozenset({"localhost", "local", "internal", "invalid", "test", "example", "onion", "lan", "home"})
"""Top levels under which no public authority signs: RFC 6761, RFC 8375 and what people use at home."""
RENEWED_AT = 2 / 3
"""Of its life: a third is left for authorities that are away and people who have to mend something."""
SPREAD = 0.05
"""Of its life: certificates that were asked for together are not all renewed together."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=24)
"""Let's Encrypt lets a host fail five times an hour; with these it fails four times."""
ENDS_SOON = timedelta(days=3)


def why_not_public(host: str) -> str:
    """Why no public authority would prove over HTTP that this host is ours; empty when one may."""
    labels = host.split(".")
    if host.startswith("*."):
        return "a wildcard cannot be proved over HTTP: bring a certificate of your own (tls.own)"
    if ":" in host or NUMBER.fullmatch(labels[-1]):
        return "it is an address and not a name"
    if len(labels) == 1 or labels[-1] in NOT_PUBLIC:
        return "no public authority signs names of this kind"
    if not all(LABEL.fullmatch(label) for label in labels):
        return "it is not a host name"
    return ""


def covers(names: Collection[str], host: str) -> bool:
    """Whether a certificate for these names is good for a host."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def renew_at(certificate: Certificate, host: str) -> datetime:
    """From when on another one is to be had. Differs by host, and is the same at every call."""
    life = certificate.ends - certificate.begins
    share = int.from_bytes(hashlib.sha256(host.encode()).digest()[:4]) / 2**32
    return certificate.begins + life * (RENEWED_AT - SPREAD * share)


def pause(tries: int) -> timedelta:
    """How long to wait after so many refusals in a row."""
    return min(FIRST_PAUSE * (1 << min(max(tries - 1, 0), 20)), LONGEST_PAUSE)
