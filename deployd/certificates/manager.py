"""Looks after the certificates of all hosts: which are there, which are due, what stands in the way.

One task, one host after the other. What it knows lies in memory and in the store; a deployment never waits for it, and
never fails because of it: a host without a certificate shows an interim one (`interim.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.certificates.authority import Authority, NotIssued
from deployd.certificates.certificate import Certificate, CertificateUnusable, parse_certificate
from deployd.certificates.hosts import HttpsHosts
from deployd.certificates.interim import InterimCertificates
from deployd.certificates.renewal import ENDS_SOON, covers, pause, renew_at
from deployd.certificates.storage import Refusals, Storage
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ProjectId
from deployd.settings import OwnCertificate

log = structlog.get_logger()

LOOK_SECONDS = 5.0
ASKING, SHOWING = "the certificate of ", "showing the certificate of "
MOST_ORDERS, ORDERS_WITHIN = 50, timedelta(hours=1)
"""Let's Encrypt takes 300 of an account in three hours; a mistake of ours must not use them up."""
KEPT_AFTER_END = timedelta(days=30)


class NotShown(DeployError):
    """The router cannot be given a certificate."""

    code: ClassVar[str] = "certificate-not-shown"


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """What a host shows, and why."""

    host: str
    project: ProjectId
    kind: str
    """`own`, `acme`, `local`, or `default`: the one that the router signed itself."""
    state: str
    """`valid`, `waits` (it is asked for), `refused` (with the reason, and when it is asked for again) or `none`."""
    ends: datetime | None = None
    why: str = ""
    again_at: datetime | None = None


class CertificateManager:
    """Keeps a certificate for each host."""

    def __init__(
        self, hosts: HttpsHosts, storage: Storage, clock: Clock, authority: Authority | None,
        own: tuple[OwnCertificate, ...] = (), *, interim: InterimCertificates | None = None,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        """
        Args:
            authority: Who signs; None: nobody is asked.
            own: The operator's, which win.
            interim: Of hosts that have no other; None: they show the router's.
        """
        self._interim = interim
        self._showing = threading.Lock()
        """Rounds and deployments lay out in threads of their own; whoever is later knows more."""
        if interim is not None:
            interim.shown_by(self._show_now)
        self._boundary = boundary or ErrorBoundary("certificates")
        self._wanted = hosts
        self._store, self._router = storage.store, storage.router
        self._clock = clock
        self._authority = authority
        self._own_files = own
        self._own: dict[Path, Certificate] = {}
        self._unusable: dict[Path, str] = {}
        self._kept: dict[str, Certificate] = {}
        self._refusals: dict[str, Refusals] = {}
        self._hosts: dict[str, ProjectId] = {}
        self._orders: deque[datetime] = deque()

    async def lay_out(self) -> None:
        """Show the router what there is, without asking anybody: at the start, before visitors come."""
        self._kept, self._refusals = await asyncio.to_thread(
            lambda: (self._store.read(), self._store.read_refusals()),
        )
        await self._look()

    async def serve(self) -> None:
        while True:
            with self._boundary.contain("a round"):
                await self.round()
            await asyncio.sleep(LOOK_SECONDS)

    async def round(self) -> None:
        """Have what is due, one host after the other, as far as the limits go."""
        await self._look()
        for host in sorted(self._hosts):
            # What goes wrong unexpectedly stands in the host's own refusal, and is shown with it.
            with self._boundary.contain(f"{ASKING}{host}", shown=False) as tried:
                if self._is_due(host) and self._may_ask():
                    await self._ask(host)
            if tried.error is not None:
                self._refuse(host, tried.error)
        self._boundary.keep_only((f"{ASKING}{host}" for host in self._hosts), beginning=ASKING)

    def known(self) -> list[HostCertificate]:
        """Every host, by name."""
        return [self._of(host) for host in sorted(self._hosts)]

    def troubles(self) -> list[str]:
        """Hosts whose visitors see a warning or soon will, and files of the operator's that cannot be used."""
        found = [f"{path}: {why}" for path, why in self._unusable.items()]
        for item in self.known():
            if item.state == "refused":
                found.append(f"{item.host} has no certificate: {item.why}")
            elif item.ends is not None and item.ends - self._clock.now() < ENDS_SOON:
                found.append(f"the certificate of {item.host} ends at {item.ends:%Y-%m-%d %H:%M} UTC: {item.why}")
        return found

    async def _look(self) -> None:
        self._hosts = await self._wanted.hosts()
        await asyncio.to_thread(self._show)

    async def _show_now(self) -> None:
        await asyncio.to_thread(self._show)

    def _show(self) -> None:
        with self._showing:
            self._lay_out_all()

    def _lay_out_all(self) -> None:
        self._read_own()
        now = self._clock.now()
        hosts = {*self._hosts, *(self._interim.awaited() if self._interim else ())}
        shown = {host: self._kept[host] for host in hosts if host in self._kept and self._kept[host].ends > now}
        for certificate in self._own.values():   # they come last, and win
            shown |= {host: certificate for host in hosts if covers(certificate.names, host)}
        if self._interim is not None:
            shown |= self._interim.of(hosts - shown.keys())
        not_shown = self._router.show(shown)
        for host, why in not_shown.items():
            error = NotShown(f"its certificate cannot be laid out: {why}", where=host)
            self._boundary.failed(f"{SHOWING}{host}", error)
        self._boundary.keep_only((f"{SHOWING}{host}" for host in not_shown), beginning=SHOWING)
        over = {host for host, item in self._kept.items()
                if host not in self._hosts and item.ends + KEPT_AFTER_END < now}
        for host in over:
            with self._boundary.contain(f"dropping the certificate of {host}", shown=False):
                self._store.drop(host)
        self._kept = {host: item for host, item in self._kept.items() if host not in over}

    def _read_own(self) -> None:
        """Again at every look: the operator's own program may have renewed them."""
        own, unusable = dict(self._own), {}
        for files in self._own_files:
            path = files.certificate
            try:
                own[path] = parse_certificate(path.read_text(), files.key.read_text(), str(path))
            except (OSError, UnicodeDecodeError, CertificateUnusable) as error:   # the one of before goes on
                why = error.what if isinstance(error, CertificateUnusable) else f"cannot be read: {error}"
                if self._unusable.get(path) != why:
                    log.error("own_certificate_unusable", file=str(path), what=why)
                unusable[path] = why
        self._own, self._unusable = own, unusable   # at once: others read them in another thread

    def _own_for(self, host: str) -> Certificate | None:
        return next((item for item in self._own.values() if covers(item.names, host)), None)

    def _is_due(self, host: str) -> bool:
        if self._authority is None or self._own_for(host) or self._authority.why_not(host):
            return False
        now, kept, refused = self._clock.now(), self._kept.get(host), self._refusals.get(host)
        return (kept is None or renew_at(kept, host) <= now) and (refused is None or refused.again_at <= now)

    def _may_ask(self) -> bool:
        now = self._clock.now()
        while self._orders and now - self._orders[0] > ORDERS_WITHIN:
            self._orders.popleft()
        return len(self._orders) < MOST_ORDERS

    async def _ask(self, host: str) -> None:
        assert self._authority is not None
        self._orders.append(self._clock.now())
        try:
            certificate = await self._authority.issue(host)
        except NotIssued as error:
            self._refuse(host, error)
        else:
            self._refusals.pop(host, None)
            self._kept[host] = certificate
            log.info("certificate_issued", host=host, by=self._authority.kind, ends=certificate.ends.isoformat())
        await asyncio.to_thread(self._show)
        await asyncio.to_thread(self._keep, host)

    def _refuse(self, host: str, error: DeployError) -> None:
        """It is asked for again after a pause that grows; the others are not held up by it."""
        before = self._refusals.get(host)
        tries = before.tries + 1 if before else 1
        why = "; ".join((error.what, *error.evidence))
        self._refusals[host] = Refusals(tries, self._clock.now() + pause(tries), why)
        log.warning("certificate_refused", host=host, tries=tries, what=why)

    def _keep(self, host: str) -> None:
        """In the store, so that nobody is asked again after a restart."""
        try:
            if host in self._kept:
                self._store.keep(host, self._kept[host])
            self._store.keep_refusals(self._refusals)
        except OSError as error:   # a full disk: it is shown all the same
            log.error("certificate_not_kept", host=host, what=str(error))

    def _of(self, host: str) -> HostCertificate:
        project, kept, refused = self._hosts[host], self._kept.get(host), self._refusals.get(host)
        own = self._own_for(host)
        if own is not None:
            return HostCertificate(host, project, "own", "valid", own.ends)
        kind = self._authority.kind if self._authority else "default"
        if kept is not None and kept.ends > self._clock.now():
            why, again_at = (refused.why, refused.again_at) if refused else ("", None)
            return HostCertificate(host, project, kind, "valid", kept.ends, why, again_at)
        if self._authority is None:
            return HostCertificate(host, project, kind, "none", why="nobody is asked: tls.certificates is none")
        if why_not := self._authority.why_not(host):
            return HostCertificate(host, project, "default", "none", why=why_not)
        if refused is not None:
            return HostCertificate(host, project, "default", "refused", None, refused.why, refused.again_at)
        why = "" if self._may_ask() else f"{MOST_ORDERS} were asked for within an hour"
        return HostCertificate(host, project, "default", "waits", why=why)
