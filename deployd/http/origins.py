"""Whether a request that a browser sends comes from our own pages. Pure.

A browser sends the password that it remembers along with whatever a page of another site asks for, and it can be made
to think that a name of an attacker's is this host (DNS rebinding). What programs send carries none of these marks, and
may use whatever name leads here.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployd.access.errors import Forbidden
from deployd.http.errors import Misdirected

READS = frozenset({"GET", "HEAD", "OPTIONS"})
MARKS = ("Origin", "Referer", "Sec-Fetch-Site")
"""Of a browser. Where TLS is missing there is no Sec-Fetch-Site, and on reading no Origin."""
OWN_SITES = ("none", "same-origin")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Ours:
    """By which names people reach the daemon."""

    public_url: str = ""
    """Of the settings; empty: not said."""
    host: str = ""
    """Of `listen`."""

    def refuse_others(self, method: str, headers: Mapping[str, str]) -> None:
        """
        Raises:
            Misdirected: A browser asks by a name that is not known to be ours.
            Forbidden: A page of another site wants to change something.
        """
        host = headers.get("Host", "")
        reads = method in READS
        is_browser = any(mark in headers for mark in MARKS)
        if is_browser and (self.public_url or not reads) and not self._knows(host):
            raise Misdirected(
                f"this is not known to be {_shown(host)}", where="Host",
                hint="ask by the address, or tell the operator to set `public_url` to what people type",
            )
        if reads:
            return
        site, origin, referer = (headers.get(name) for name in ("Sec-Fetch-Site", "Origin", "Referer"))
        if (site or "none") not in OWN_SITES:
            raise _from_elsewhere(site)
        if origin is not None and not self._is_ours(origin, host):
            raise _from_elsewhere(origin)
        by_itself = not headers.get("Authorization", "").lower().startswith("bearer ")
        if origin is None and referer is not None and by_itself and not self._is_ours(referer, host):
            raise _from_elsewhere(referer)

    def came_by_tls(self, headers: Mapping[str, str]) -> bool:
        """Whether a proxy before us has taken TLS off: it says so, or the browser came by an address of https.

        Some proxies say nothing, and some say their own `Host`; a form says from which page it is sent.
        """
        if headers.get("X-Forwarded-Proto", "").lower() == "https":
            return True
        if not self.public_url.startswith("https://"):
            return False
        own = _authority(self.public_url)
        return own in (_authority(f"https://{headers.get('Host', '')}"), _authority(headers.get("Origin", "")))

    def _knows(self, host: str) -> bool:
        """Whether a `Host` can be no name of an attacker's: an address, our own name, or what the settings say."""
        name = _name(host)
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return bool(name) and name in {_name(urlsplit(self.public_url).netloc), _name(self.host), _own_name()}
        return True

    def _is_ours(self, url: str, host: str) -> bool:
        """Whether a page at this address is one of ours. A proxy before us may have taken TLS off."""
        found = _authority(url)
        if not found:
            return False
        own = {_authority(f"{scheme}://{host}") for scheme in DEFAULT_PORTS}
        return found in own or found == _authority(self.public_url)


def _authority(url: str) -> str:
    """Host and port of an address, the port of its scheme left out; empty when it is none, as `null`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc:
        return ""
    return parts.netloc.lower().removesuffix(DEFAULT_PORTS[parts.scheme])


def _name(host: str) -> str:
    """The host of a `Host`, without its port and an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


def _own_name() -> str:
    return socket.gethostname().lower()


def _from_elsewhere(site: str | None) -> Forbidden:
    return Forbidden(
        f"a page of another site asked for this ({_shown(site or '')})",
        hint="ask from deployd's own pages, or with a program",
    )


def _shown(text: str) -> str:
    return repr(text[:100])
