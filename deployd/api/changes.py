"""What changes, told to programs that stay connected: activities and environments, as JSON.

It is looked once a second for all of them together, and only while there is somebody. What is seen is compared with
what was seen before, so whoever was away for a while is told what is different now, and not what came and went.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deployd.activity.error_boundary import ErrorBoundary
from deployd.api.as_json import as_json
from deployd.http.event_stream import SILENCE_SECONDS, Event, Events
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape
from deployd.queries.queries import Queries

LOOK_SECONDS = 1.0
MOST_ACTIVITIES = 500
"""The newest ones; older ones are looked at as long as they have not ended."""
MOST_KEPT = 5_000
"""Changes that are kept for those who come back."""
OPEN = ("pending", "in_progress")
Key = tuple[str, str, str]
"""(kind, project, number or machine name)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShape:
    """An activity or an environment that is not any more as it was."""

    kind: str
    """`activity`, `environment`, `gone` (an environment was deleted), or `begin`."""
    project: str
    name: str
    """The machine name of the environment."""
    activity: ActivityShape | None = None
    environment: EnvironmentShape | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    number: int
    project: str
    event: Event


class Changes:
    def __init__(self, queries: Queries, boundary: ErrorBoundary) -> None:
        self._queries = queries
        self._boundary = boundary
        self._run = secrets.token_hex(4)
        """Numbers of another run of the daemon mean nothing."""
        self._known: Mapping[Key, ActivityShape | EnvironmentShape] | None = None
        self._kept: deque[_Change] = deque(maxlen=MOST_KEPT)
        self._last = 0
        self._readers = 0
        self._looking = asyncio.Lock()
        self._news = asyncio.Event()

    async def serve(self) -> None:
        """Look as long as somebody wants to know, for ever."""
        while True:
            if self._readers:
                with self._boundary.contain("looking what changed"):
                    await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def follow(self, may_see: Callable[[str], bool], place: str) -> Events:
        """What changes from a place on; from now on when that is none, or too long ago.

        Args:
            may_see: Of a project.
            place: The id of the last event that was seen.
        """
        self._readers += 1
        try:
            if self._readers == 1:
                await self._look()
            known = self._number_of(place)
            while True:
                news = self._news
                if known is None or known < self._oldest:
                    known = self._last
                    yield _event(ChangeShape(kind="begin", project="", name=""), self._place(known))
                for change in self._since(known):
                    known = change.number
                    if may_see(change.project):
                        yield change.event
                if not await _within(news, SILENCE_SECONDS):
                    yield None
        finally:
            self._readers -= 1

    @property
    def _oldest(self) -> int:
        """From where on all changes are kept."""
        return self._kept[0].number - 1 if self._kept else self._last

    def _since(self, number: int) -> list[_Change]:
        found: list[_Change] = []
        for change in reversed(self._kept):
            if change.number <= number:
                break
            found.append(change)
        return found[::-1]

    async def _look(self) -> None:
        async with self._looking:
            now = await self._now()
            before, self._known = self._known, now
            if before is None:
                return
            for key, shape in now.items():
                if before.get(key) != shape:
                    self._add(_change(shape))
            for kind, project, name in before.keys() - now.keys():
                if kind == "environment":
                    self._add(ChangeShape(kind="gone", project=project, name=name))

    async def _now(self) -> Mapping[Key, ActivityShape | EnvironmentShape]:
        found: dict[Key, ActivityShape | EnvironmentShape] = {}
        newest = await self._queries.activities.latest(None, None, None, MOST_ACTIVITIES)
        for item in reversed([*newest, *await self._older({item.id for item in newest})]):
            found["activity", item.project, str(item.id)] = item
        for one in await self._queries.environments.all():
            found["environment", one.project, one.name] = one
        return found

    async def _older(self, newest: set[int]) -> list[ActivityShape]:
        """Those that had not ended when it was looked last."""
        known = (self._known or {}).values()
        open_ones = [one.id for one in known if isinstance(one, ActivityShape) and one.state in OPEN]
        found = [await self._queries.activities.find(number) for number in open_ones if number not in newest]
        return [item for item in found if item is not None]

    def _add(self, change: ChangeShape) -> None:
        self._last += 1
        self._kept.append(_Change(self._last, change.project, _event(change, self._place(self._last))))
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _place(self, number: int) -> str:
        return f"{self._run}.{number}"

    def _number_of(self, place: str) -> int | None:
        run, _, number = place.partition(".")
        if run != self._run or not (number.isascii() and number.isdecimal()) or len(number) > len(str(2**53)):
            return None
        return int(number) if int(number) <= self._last else None


def _change(shape: ActivityShape | EnvironmentShape) -> ChangeShape:
    if isinstance(shape, ActivityShape):
        return ChangeShape(kind="activity", project=shape.project, name=shape.environment, activity=shape)
    return ChangeShape(kind="environment", project=shape.project, name=shape.name, environment=shape)


def _event(change: ChangeShape, place: str) -> Event:
    return Event(change.kind, json.dumps(as_json(change), ensure_ascii=False), place)


async def _within(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True
