"""Who is in environments now and has a way to be told something. Lives as long as the process, over reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from deployd.ids import ActivityId, EnvironmentId
from deployd.state.stays import Stay

Tell = Callable[[str], Awaitable[None]]


@dataclass
class OpenStay:
    stay: Stay
    tell: Tell
    """Say a line to whoever is there."""
    told_of: set[ActivityId] = field(default_factory=set)


class OpenStays:
    def __init__(self) -> None:
        self._open: dict[str, OpenStay] = {}
        self.came = asyncio.Event()
        """Somebody is there."""
        self.handed_over = asyncio.Event()
        """Set when others attend to those who are there: the settings are read again, and what we have with it."""

    def add(self, stay: Stay, tell: Tell) -> None:
        self._open[stay.id] = OpenStay(stay, tell)
        self.came.set()

    def remove(self, number: str) -> None:
        self._open.pop(number, None)
        if not self._open:
            self.came.clear()

    def hand_over(self) -> None:
        """Let those who are there be attended to by whoever answers next, by the settings and the roles of then."""
        earlier, self.handed_over = self.handed_over, asyncio.Event()
        earlier.set()

    def has(self, number: str) -> bool:
        return number in self._open

    def of(self, environment: EnvironmentId) -> list[OpenStay]:
        return [item for item in self._open.values() if item.stay.environment == environment]

    @property
    def environments(self) -> frozenset[EnvironmentId]:
        return frozenset(item.stay.environment for item in self._open.values())
