"""Passes: links that show an operator a new version while visitors wait for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from deployd.queries.environments import EnvironmentQueries
from deployd.queries.versions import NothingLive
from deployd.release.ports import Host
from deployd.router.passes import LINK_LIFETIME, pass_link
from deployd.router.paths import RouterPlaces

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassShape:
    """An operator's pass: it shows a new version while visitors wait for it."""

    links: tuple[str, ...]
    """One for each host of the environment, in the order of the project's file; good for ten minutes."""
    ends: str
    """ISO 8601."""


class PassCommands:
    def __init__(self, host: Host, environments: EnvironmentQueries) -> None:
        self._host = host
        self._environments = environments
        self._key = RouterPlaces(host.settings.run).pass_key

    async def make(self, project: str, environment: str, who: str) -> PassShape:
        """Links for an operator, one for each host of what is live."""
        found = await self._environments.find_configured(project, environment)
        live = await self._host.facts.live(found.id)
        if live is None:
            raise NothingLive(f"nothing is live in {found.branch}: nobody waits there", hint="push the branch")
        key, now = await asyncio.to_thread(self._key.read_bytes), self._host.clock.now()
        links = dict.fromkeys(
            pass_link(key, str(found.id), url, now) for url in live.routes if "*" not in url
        )
        log.info("pass_made", project=found.project, environment=found.name, who=who)
        return PassShape(links=tuple(links), ends=(now + LINK_LIFETIME).isoformat())
