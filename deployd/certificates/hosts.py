"""Which hosts visitors come to over TLS: those of the live versions' https routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.journal import read_result
from deployd.ids import ActivityId, ProjectId
from deployd.release.version import Version
from deployd.settings import Settings
from deployd.state import environments
from deployd.state.store import Store

READING = "reading the hosts of "


@dataclass
class HttpsHosts:
    """Asks the database. Versions never change, so each is read once."""

    store: Store
    settings: Settings
    boundary: ErrorBoundary = field(default_factory=lambda: ErrorBoundary("certificates"))
    _hosts: dict[ActivityId, frozenset[str]] = field(default_factory=dict)

    async def hosts(self) -> dict[str, ProjectId]:
        """{host: project}"""
        found = await self.store.read(environments.live_ones) + await self.store.read(environments.paused_ones)
        live = [row for row in found if row.id.project in self.settings.projects]
        for gone in self._hosts.keys() - {row.activity for row in live}:
            del self._hosts[gone]
        self.boundary.keep_only((f"{READING}{row.id}" for row in live), beginning=READING)
        hosts: dict[str, ProjectId] = {}
        for row in live:
            if row.activity not in self._hosts:
                with self.boundary.contain(f"{READING}{row.id}"):
                    self._hosts[row.activity] = await self._read(row.activity)
            hosts.update(dict.fromkeys(self._hosts.get(row.activity, ()), row.id.project))
        return hosts

    async def _read(self, activity: ActivityId) -> frozenset[str]:
        text = await self.store.read(lambda db: environments.version_of(db, activity))
        return https_hosts(read_result(text, Version).routes) if text else frozenset()


def https_hosts(urls: tuple[str, ...]) -> frozenset[str]:
    """Pure."""
    parts = [urlsplit(url) for url in urls]
    return frozenset(part.hostname for part in parts if part.scheme == "https" and part.hostname)
