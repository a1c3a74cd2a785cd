"""Figures: what is measured besides the status, for monitoring and for pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deployd.router.table import RouterStatus
from deployd.upkeep.traffic import Visits
from deployd.upkeep.usage.parts import Use

PATIENCE_SECONDS = 3.0
"""Docker and the router answer in milliseconds. Monitors, and systemd's watchdog, do not wait for one that hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    visits: Mapping[str, Visits] = field(default_factory=dict)
    """{`<project>/<environment>`: what its visitors did}"""
    router: RouterStatus | None = None
    """None: it does not answer."""
    slots: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """{`builds`, `deployments`: (taken, waiting)}"""
    lost_lines: int = 0
    loops: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """{loop: (failures of its items since the daemon started, items that fail now)}"""
    uses: Sequence[Use] = ()
    """What parts of environments use; bounded for each environment."""
    refused_sign_ins: int = 0
    """Wrong tokens and signatures, and tokens that were not looked at."""
    held_back_addresses: int = 0
    """From which no token is looked at now."""


class FigureQueries:
    def __init__(self, measure: Callable[[], Awaitable[Figures]]) -> None:
        self._measure = measure

    async def now(self) -> Figures:
        """Patiently, like a status."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._measure()
        except TimeoutError:
            return Figures()
