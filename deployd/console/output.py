"""The page with what an environment prints, which lines of it are wanted, and following them.

What a container printed is shown as text, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from deployd.console.asked import Asked
from deployd.console.lines import FOLLOW_SECONDS, LINES, cut, parse_lines
from deployd.errors import Unusable
from deployd.http.event_stream import Event, Events
from deployd.output.follower import OutputFollower
from deployd.output.outputs import place_after
from deployd.output.sources import OutputFilter

KINDS = {
    "": "all", "app": "applications", "web": "web servers", "worker": "workers", "service": "services", "cron": "crons",
}
"""{value of the filter: what people read}"""
SOURCES = ("app", "worker", "service", "cron")
LONGEST_NAME = 300
AT_ONCE = 200
"""Lines that a page is told at once."""
MOST_LOOKED_AT = 5_000
"""Of the newest lines, for a filter."""


async def output(asked: Asked) -> str:
    """The newest lines that are wanted."""
    found = await asked.environment()
    wanted = parse_wanted_lines(asked.query)
    printed = await _read_printed(asked, found.project, found.name, wanted)
    query = urlencode({"after": printed.last}) + f"&{wanted.query}"
    return await asked.page(
        "output.html", environment=found, wanted=wanted, printed=printed.lines, looked_at=printed.looked_at,
        kinds=KINDS, lines=LINES, follow_seconds=FOLLOW_SECONDS, live=f"{asked.path}/events?{query}" * wanted.follow,
        names=await asked.queries.output.names(found.project, found.name),
    )


async def follow_output(asked: Asked) -> Events:
    """Lines as they are printed, from the last one that the page has."""
    found, wanted = await asked.environment(), parse_wanted_lines(asked.query)
    after = asked.from_id or asked.query.get("after", "")
    start = place_after(after) if after else ""
    if start is None:
        raise Unusable(f"after must be the time of a line, not {after[:40]!r}")
    follower = await asked.queries.output.follow(found.project, found.name, wanted.sources, start=start, lines=None)
    return _follow(follower, wanted)


async def _follow(follower: OutputFollower, wanted: WantedLines) -> Events:
    try:
        while (taken := await follower.take()) is not None:
            if not taken:
                yield None   # a silence
                continue
            told = await asyncio.to_thread(_events, taken, wanted)
            del taken   # who takes nothing any more keeps no more than the events
            while told:
                yield told.popleft()
    finally:
        follower.close()


def batches(printed: bytes, wanted: WantedLines) -> list[tuple[list[dict[str, str]], str]]:
    """(lines that are wanted, time of the last one that was looked at), some hundred at once."""
    looked_at = [json.loads(line) for line in printed.splitlines()]
    return [
        ([_shown(line) for line in some if _fits(line, wanted)], some[-1]["time"])
        for some in (looked_at[first:first + AT_ONCE] for first in range(0, len(looked_at), AT_ONCE))
    ]


def _events(printed: bytes, wanted: WantedLines) -> deque[bytes]:
    return deque(
        Event("printed", json.dumps(lines, ensure_ascii=False), last).encoded()
        for lines, last in batches(printed, wanted)
    )


def _shown(line: Mapping[str, Any]) -> dict[str, str]:
    """What of a line stands on the page."""
    return {"time": line["time"], "kind": line["kind"], "name": line["name"], "text": cut(line["text"])}


@dataclass(frozen=True, slots=True)
class WantedLines:
    """What the form says."""

    kind: str = ""
    """One of `KINDS`."""
    of: str = ""
    """Of whom alone: `app:shop`, `worker:shop--mailer`, `service:db`, `cron:tidy`; empty: of all."""
    text: str = ""
    """That stands in the line or the name of who printed it; in any case of its letters."""
    lines: int = 100
    follow: bool = False
    """The page loads itself again."""

    @property
    def is_narrow(self) -> bool:
        return bool(self.kind or self.of or self.text)

    @property
    def sources(self) -> OutputFilter:
        kind, _, name = self.of.partition(":")
        named = {one: name if one == kind else "" for one in SOURCES}
        return OutputFilter(named["app"], named["worker"], named["service"], named["cron"])

    @property
    def looks_at(self) -> int:
        return MOST_LOOKED_AT if self.is_narrow else self.lines

    @property
    def query(self) -> str:
        """The same as the query of an address."""
        found = {
            "kind": self.kind, "of": self.of, "text": self.text, "lines": str(self.lines), "follow": "1" * self.follow,
        }
        return urlencode({name: value for name, value in found.items() if value})

    @property
    def still(self) -> WantedLines:
        """The same on a page that does not load itself."""
        return replace(self, follow=False)


def parse_wanted_lines(query: Mapping[str, str]) -> WantedLines:
    """
    Raises:
        Unusable: A value is none that the form offers.
    """
    kind = query.get("kind", "")
    if kind not in KINDS:
        raise Unusable(f"kind cannot be {kind[:20]!r}", hint=f"one of {', '.join(filter(None, KINDS))}, or none")
    of = query.get("of", "")
    if of and (of.partition(":")[0] not in SOURCES or not of.partition(":")[2] or len(of) > LONGEST_NAME):
        raise Unusable(f"of cannot be {of[:20]!r}", hint=f"one of {', '.join(SOURCES)}, a colon, and a name; or none")
    return WantedLines(kind, of, query.get("text", "").strip()[:500], parse_lines(query), query.get("follow") == "1")


@dataclass(frozen=True, slots=True)
class Printed:
    """What a page shows of what was printed."""

    lines: tuple[dict[str, str], ...] = ()
    """Those that are wanted, the newest, oldest first."""
    looked_at: int = 0
    last: str = ""
    """The time of the last one that was looked at."""


def look_through(before: Printed, printed: bytes, wanted: WantedLines) -> Printed:
    """With what was printed then: lines of JSON, oldest first, one at least."""
    looked_at = [json.loads(line) for line in printed.splitlines()]
    found = [_shown(line) for line in looked_at if _fits(line, wanted)]
    return Printed(
        (*before.lines, *found)[-wanted.lines:], before.looked_at + len(looked_at), looked_at[-1]["time"],
    )


def _fits(line: Mapping[str, Any], wanted: WantedLines) -> bool:
    text = wanted.text.casefold()
    return wanted.kind in ("", line["kind"]) and (text in line["text"].casefold() or text in line["name"].casefold())


async def _read_printed(asked: Asked, project: str, environment: str, wanted: WantedLines) -> Printed:
    """Piece by piece: of what was looked at no more is kept than what is shown."""
    follower = await asked.queries.output.follow(project, environment, wanted.sources, start="", lines=wanted.looks_at)
    found = Printed()
    try:
        while taken := await follower.rest():
            found = await asyncio.to_thread(look_through, found, taken, wanted)
    finally:
        follower.close()
    return found
