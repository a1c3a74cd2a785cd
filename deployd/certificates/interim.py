"""What a host shows until it has a certificate that visitors know: one of this daemon's own authority, in its name.

Visitors are warned as with any that they do not know. The environment's own containers are not: they trust that
authority (`release/trust.py`), so a shop can warm its own pages over https from its first deployment on, wherever the
certificates for visitors come from. So a deployment has them laid out before its switch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta

import structlog

from deployd.certificates.certificate import Certificate
from deployd.certificates.local import LocalAuthority
from deployd.clock import Clock

log = structlog.get_logger()

AWAITED = timedelta(hours=1)
"""For so long a host counts that a deployment is about to make live."""
RENEWED_BEFORE = timedelta(days=30)


class InterimCertificates:
    """Signed when they are first wanted, and kept in memory."""

    def __init__(self, authority: LocalAuthority, clock: Clock) -> None:
        self._authority = authority
        self._clock = clock
        self._signed: dict[str, Certificate | None] = {}
        """None: no certificate can have that name."""
        self._awaited: dict[str, datetime] = {}
        self._show: Callable[[], Awaitable[None]] | None = None

    def shown_by(self, show: Callable[[], Awaitable[None]]) -> None:
        """
        Args:
            show: Lays out what is there now.
        """
        self._show = show

    async def prepare(self, hosts: Collection[str]) -> None:
        """Have something to show for hosts that are about to be visited."""
        until = self._clock.now() + AWAITED
        self._awaited |= dict.fromkeys(hosts, until)
        if self._show is not None:
            await self._show()

    def awaited(self) -> frozenset[str]:
        now = self._clock.now()
        self._awaited = {host: until for host, until in self._awaited.items() if until > now}
        return frozenset(self._awaited)

    def of(self, hosts: Collection[str]) -> dict[str, Certificate]:
        """{host: certificate}, without those that cannot have one. Blocking."""
        self._signed = {host: item for host, item in self._signed.items() if host in hosts and not self._ends(item)}
        for host in hosts:
            if host not in self._signed:
                self._signed[host] = self._sign(host)
        return {host: item for host, item in self._signed.items() if item is not None}

    def _ends(self, certificate: Certificate | None) -> bool:
        return certificate is not None and certificate.ends - RENEWED_BEFORE < self._clock.now()

    def _sign(self, host: str) -> Certificate | None:
        try:
            return self._authority.sign(host)
        except (ValueError, OSError) as error:   # a name with letters that no certificate has; a disk that is full
            log.warning("interim_certificate_not_signed", host=host, what=str(error))
            return None
