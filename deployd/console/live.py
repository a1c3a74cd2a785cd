"""Pages that stay current: what changed of a page is rendered once more and sent, part by part.

A part is an element with an id, its template and the values that stand in it. Values are compared, not HTML: of a
thousand environments only those are rendered of which something is different.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deployd.activity.error_boundary import ErrorBoundary
from deployd.console.render import prepare_templates, render_part
from deployd.http.event_stream import SILENCE_SECONDS, Event, Events

LOOK_SECONDS = 1.0
"""How often it is looked whether something changed."""
LONGEST_LOOK_SECONDS = 30.0
"""After which it is given up, and begun anew."""


@dataclass(frozen=True, slots=True)
class Part:
    """An element of a page that may change."""

    macro: str
    """Of `templates/live.html`; it makes one element with the id of the part."""
    values: Mapping[str, Any]

    def html(self, name: str) -> str:
        return render_part(name, self.macro, self.values)


def part_event(name: str, html: str, place: str = "") -> Event:
    """That tells a page of a part of it."""
    return Event("part", json.dumps({"id": name, "html": html}, ensure_ascii=False), place)


Parts = Mapping[str, Part]
"""{id of the element: it}"""
Look = Callable[[], Awaitable[Parts]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is on a page when it is loaded."""

    place: str
    """From which the page goes on."""
    parts: Parts
    html: Mapping[str, str]
    """{id: the same as HTML}"""


@dataclass(slots=True)
class _Shown:
    """What several readers look at."""

    look: Look
    parts: Parts = field(default_factory=dict)
    version: int = 0
    changed_at: Mapping[str, int] = field(default_factory=dict)
    """{id: the version in which it changed last}"""
    order_changed_at: int = 0
    """The version in which something came, went, or moved."""
    readers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    rendered: dict[str, str] = field(default_factory=dict)
    """HTML of the parts as they are, as far as somebody wanted it: hundreds of readers cost one rendering, and a page
    that is loaded again costs that of what changed."""
    encoded: dict[str, bytes] = field(default_factory=dict)
    """The same as events, as they are sent."""

    async def look_again(self) -> None:
        async with self.looking:   # else a slow look would put back what a later one has seen
            self._take(await self.look())

    def _take(self, parts: Parts) -> None:
        new = {name for name, part in parts.items() if self.parts.get(name) != part}
        moved = list(parts) != list(self.parts)
        if not new and not moved:
            return
        self.version += 1
        if moved:
            self.order_changed_at = self.version
        self.changed_at = {name: self.version if name in new else self.changed_at[name] for name in parts}
        self.parts = parts
        for name in [name for name in self.rendered if name not in parts or name in new]:
            del self.rendered[name]
            self.encoded.pop(name, None)
        news, self.news = self.news, asyncio.Event()
        news.set()

    def changed_since(self, version: int) -> list[str]:
        return [name for name, at in self.changed_at.items() if at > version]

    def event(self, name: str, place: str = "") -> Event:
        """A part as it is now."""
        if name not in self.rendered:
            self.rendered[name] = self.parts[name].html(name)
        return part_event(name, self.rendered[name], place)

    async def html(self) -> Mapping[str, str]:
        """Of all parts. What nobody has wanted yet is made in a thread: of a thousand parts it takes a while."""
        parts, known = self.parts, dict(self.rendered)
        missing = parts.keys() - known.keys()
        made = await asyncio.to_thread(lambda: {name: parts[name].html(name) for name in missing}) if missing else {}
        self.rendered |= {name: html for name, html in made.items() if self.parts.get(name) is parts[name]}
        return {name: made[name] if name in made else known[name] for name in parts}


    def told(self, name: str) -> bytes:
        """The same as bytes."""
        if name not in self.encoded:
            self.encoded[name] = self.event(name).encoded()
        return self.encoded[name]


class Board:
    """What is shown to several readers alike, looked at once for all of them."""

    def __init__(self, boundary: ErrorBoundary) -> None:
        self._boundary = boundary
        self._shown: dict[str, _Shown] = {}
        self._name = secrets.token_hex(4)
        """Of this daemon's run: versions of another run mean nothing."""

    async def serve(self) -> None:
        """Look at what somebody reads, for ever. What cannot be looked at, or takes long, keeps no other waiting."""
        await asyncio.to_thread(prepare_templates)
        async with asyncio.TaskGroup() as group:
            while True:
                read = {_looking_at(key): shown for key, shown in self._shown.items() if shown.readers}
                self._boundary.keep_only(read)
                for name, shown in read.items():
                    if not shown.looking.locked():
                        group.create_task(self._look(name, shown), name=name)
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, name: str, shown: _Shown) -> None:
        with self._boundary.contain(name):
            async with asyncio.timeout(LONGEST_LOOK_SECONDS):
                await shown.look_again()

    async def now(self, key: str, look: Look) -> Seen:
        """What is to be shown, as it is and not as it was a second ago.

        Args:
            key: Of what is the same for several readers.
        """
        shown = self._shown.setdefault(key, _Shown(look))
        if not shown.readers:
            shown.look = look
        await shown.look_again()
        place, parts = self._place(shown), shown.parts
        return Seen(place, parts, await shown.html())

    async def follow(self, key: str, look: Look, place: str) -> Events:
        """What changes from a place on. A page from before this daemon's start is loaded again."""
        shown = self._shown.setdefault(key, _Shown(look))
        shown.readers += 1
        try:
            known = self._version_of(place, shown)
            while True:
                if known is None or shown.order_changed_at > known:
                    known = shown.version
                    yield Event("reload", "", self._place(shown))
                elif known < shown.version:
                    place, changed, known = self._place(shown), shown.changed_since(known), shown.version
                    events = [shown.event(name, place * (name == changed[-1])) for name in changed]
                    for event in events:
                        yield event
                elif not await _within(shown.news, SILENCE_SECONDS):
                    yield None
        finally:
            shown.readers -= 1

    @contextmanager
    def reading(self, key: str, look: Look) -> Iterator[Callable[[int], tuple[int, list[bytes]]]]:
        """For who tells a browser of something else too: what changed since a version, and the version now.

        Asked with -1 it gives all parts.
        """
        shown = self._shown.setdefault(key, _Shown(look))
        if not shown.readers:
            shown.look = look
        shown.readers += 1
        try:
            yield lambda known: (
                shown.version, [shown.told(name) for name in shown.changed_since(known)],
            )
        finally:
            shown.readers -= 1
            if not shown.readers:   # there are many such pages
                self._shown.pop(key, None)

    def _place(self, shown: _Shown) -> str:
        return f"{self._name}.{shown.version}"

    def _version_of(self, place: str, shown: _Shown) -> int | None:
        name, _, version = place.partition(".")
        if name != self._name or not version.isdecimal() or len(version) > 15:
            return None
        return int(version) if int(version) <= shown.version else None


async def follow_parts(look: Look, *, is_over: Callable[[], bool] = lambda: False) -> Events:
    """The parts of a page for one reader: all of them, then those that change.

    Args:
        is_over: Whether nothing will change any more, asked after each look.
    """
    before: Parts = {}
    silence = 0.0
    while True:
        parts = await look()
        changed = [(name, part) for name, part in parts.items() if before.get(name) != part]
        for name, part in changed:
            yield part_event(name, part.html(name))
        before, silence = parts, 0.0 if changed else silence + LOOK_SECONDS
        if is_over():
            return
        if silence >= SILENCE_SECONDS:
            silence = 0.0
            yield None
        await asyncio.sleep(LOOK_SECONDS)


def _looking_at(key: str) -> str:
    return f"looking at the page {key}"


async def _within(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True
