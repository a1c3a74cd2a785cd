"""Wrong tokens and signatures: who guesses waits longer and longer. Pure but for what it remembers, which is bounded.

By address, because that is what a guesser has few of; of IPv6 by /64, because that is what one customer is given.
A token that was right from an address is let in from there whatever others guess from it: behind one address there may
be an office. From another address it is let in anyway.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

FREE = 10
"""Wrong tokens from one address without a pause: a person who mistypes, a program with an old one."""
MOST_IN_A_MINUTE = 300
"""Wrong tokens from all addresses; with more, each address has one without a pause."""
LONGEST_PAUSE_SECONDS = 300.0
FORGOTTEN_SECONDS = 3600.0
MOST_ADDRESSES = 10_000
"""Remembered; of more the one is forgotten that was quiet for longest."""
MINUTE = 60.0
IPV6_BITS = 64


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class FailedSignIns:
    """Wrong tokens and signatures, by where they came from."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(address, name of the token) of those that were right."""
        self._latest: deque[float] = deque(maxlen=MOST_IN_A_MINUTE)
        self.total = 0
        """Wrong ones and those that were not looked at, since the start."""

    @property
    def held_back(self) -> int:
        """How many addresses have to wait now."""
        return sum(self._pause(found) > 0 for found in self._failures.values())

    @property
    def is_empty(self) -> bool:
        """Whether no address has guessed wrongly of late: then nobody need be asked where they come from."""
        return not self._failures

    def pause_seconds(self, source: str, token: str | None = None) -> float:
        """How long an address has to wait until its next token is looked at; 0: it need not.

        Args:
            token: Name of the token that it brings, when that is right.
        """
        found = self._failures.get(source)
        if found is None or (token is not None and (source, token) in self._right):
            return 0.0
        return self._pause(found)

    def failed(self, source: str) -> bool:
        """A wrong one. Whether the operator's log should have it: later ones only make it longer, and it is told here
        once that the address has to wait."""
        now = self._now()
        found = self._failures.pop(source, None)
        if found is None or now - found.last > FORGOTTEN_SECONDS:
            found = _Failures(0, now)
        free = self._free()
        found.count, found.last = found.count + 1, now
        self._failures[source] = found
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        self._latest.append(now)
        self.total += 1
        if found.count == free + 1:
            log.warning("sign_ins_held_back", source=source, failed=found.count,
                        why="it is told once; the pauses grow with each further one")
        return found.count <= free

    def not_looked_at(self) -> None:
        """One that came in a pause."""
        self.total += 1

    def was_right(self, source: str, token: str) -> None:
        self._right.pop((source, token), None)
        self._right[(source, token)] = None
        if len(self._right) > MOST_ADDRESSES:
            self._right.popitem(last=False)

    def _free(self) -> int:
        many = len(self._latest) == MOST_IN_A_MINUTE and self._now() - self._latest[0] < MINUTE
        return 1 if many else FREE

    def _pause(self, found: _Failures) -> float:
        over = found.count - self._free()
        if over <= 0:
            return 0.0
        seconds = min(2.0 ** min(over, 30), LONGEST_PAUSE_SECONDS)
        return max(0.0, found.last + seconds - self._now())


def source_of(peer: str | None, forwarded: str = "") -> str:
    """Where a request comes from, as it is counted.

    Args:
        forwarded: `X-Forwarded-For`. Believed only of a proxy on this host, and of it what it added itself.
    """
    address = _address(peer or "")
    if address is not None and address.is_loopback and forwarded:
        address = _address(forwarded.rpartition(",")[2].strip()) or address
    if address is None:
        return peer or "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_BITS), strict=False))
    return str(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
