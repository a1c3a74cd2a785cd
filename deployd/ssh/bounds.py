"""How much strangers and people may have open over SSH. Pure but for what it counts.

Who has not authenticated may be anybody: when there are too many of them the oldest goes, for an honest one is through
in a moment, and whoever holds connections half open would else keep all others out.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

Evict = Callable[[], None]
IPV6_BITS = 64
"""What one customer is given."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is allowed."""

    handshakes: int = 200
    """Connections that have not authenticated, of all addresses."""
    handshakes_of_address: int = 50
    connections_of_address: int = 200
    connections_of_key: int = 100
    sessions_of_key: int = 100
    """Each may have some megabytes under way; over all connections of the key."""
    sessions_of_connection: int = 20
    connections: int = 1_000
    """That have authenticated."""


class Connections:
    """All that are open."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._handshakes: OrderedDict[object, tuple[str, Evict]] = OrderedDict()
        self._of_address: Counter[str] = Counter()
        self._of_key: Counter[bytes] = Counter()
        self._sessions: Counter[object] = Counter()
        self._sessions_of_key: Counter[bytes] = Counter()
        self._known: dict[object, bytes] = {}
        self._addresses: dict[object, str] = {}
        self.evicted = 0
        """That had to go before they authenticated, since the start."""

    @property
    def known(self) -> int:
        """How many have authenticated."""
        return len(self._known)

    @property
    def shaking(self) -> int:
        """How many have not."""
        return len(self._handshakes)

    def opened(self, connection: object, address: str, evict: Evict) -> bool:
        """A connection was opened. False: its address has all that it may; nothing is counted then.

        Args:
            evict: Ends it, when others need its place.
        """
        if self._of_address[address] >= self.bounds.connections_of_address:
            if not self._make_room(address):
                return False
        elif sum(of == address for of, _ in self._handshakes.values()) >= self.bounds.handshakes_of_address:
            self._make_room(address)
        if len(self._handshakes) >= self.bounds.handshakes:
            self._make_room(None)
        self._handshakes[connection] = address, evict
        self._addresses[connection] = address
        self._of_address[address] += 1
        return True

    def authenticated(self, connection: object, key: bytes) -> str:
        """Why it may not stay; empty: it may."""
        self._handshakes.pop(connection, None)
        if len(self._known) >= self.bounds.connections:
            return f"deployd has {len(self._known)} connections over SSH, which is all that it takes"
        if self._of_key[key] >= self.bounds.connections_of_key:
            return f"this key has {self._of_key[key]} connections, which is all that it may"
        self._known[connection] = key
        self._of_key[key] += 1
        return ""

    def take_session(self, connection: object) -> str:
        """Why a connection may not have one more session; empty: it has it now."""
        key = self._known.get(connection, b"")
        if self._sessions[connection] >= self.bounds.sessions_of_connection:
            return f"a connection has {self.bounds.sessions_of_connection} sessions at most"
        if self._sessions_of_key[key] >= self.bounds.sessions_of_key:
            return f"a key has {self.bounds.sessions_of_key} sessions at most"
        self._sessions[connection] += 1
        self._sessions_of_key[key] += 1
        return ""

    def leave_session(self, connection: object) -> None:
        """One that `take_session` gave has ended; the connection may have been closed before."""
        if self._sessions[connection] > 0:
            self._less_sessions(connection, 1)

    def sessions_of(self, connection: object) -> int:
        return self._sessions[connection]

    @property
    def sessions(self) -> int:
        return self._sessions.total()

    def closed(self, connection: object) -> None:
        """May be called again."""
        self._less_sessions(connection, self._sessions[connection])
        self._handshakes.pop(connection, None)
        key = self._known.pop(connection, None)
        if key is not None:
            self._of_key[key] -= 1
            self._of_key += Counter()   # without those that are 0
        address = self._addresses.pop(connection, None)
        if address is not None:
            self._of_address[address] -= 1
            self._of_address += Counter()

    def _less_sessions(self, connection: object, number: int) -> None:
        self._sessions[connection] -= number
        self._sessions_of_key[self._known.get(connection, b"")] -= number
        self._sessions += Counter()   # without those that are 0
        self._sessions_of_key += Counter()

    def _make_room(self, address: str | None) -> bool:
        """End the oldest that has not authenticated, of an address or of all. Whether there was one."""
        for connection, (of, evict) in self._handshakes.items():
            if address in (None, of):
                self.evicted += 1
                self.closed(connection)
                evict()
                return True
        return False


def counted_as(address: str) -> str:
    """Whose connections count together: an address, of IPv6 its /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, IPV6_BITS), strict=False))
    return str(found)
