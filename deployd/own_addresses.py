"""Whether an address is one of this host's own: then it is not outside, however public it is."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from deployd.public_addresses import Address

ANY_PORT = 9


def is_own(address: Address) -> bool:
    """Asked of the kernel, which speaks to its own addresses from the same address. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), ANY_PORT))
        except OSError:   # there is no way there at all
            return False
        source = ip_address(probe.getsockname()[0])
    return source == address or source.is_loopback
