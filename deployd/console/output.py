"""The page with what an environment prints, and which lines of it are wanted.

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
from deployd.console.lines import FOLLOW_SECONDS, LINES, parse_lines
from deployd.errors import Unusable
from deployd.output.sources import OutputFilter

KINDS = {
    "": "all", "app": "applications", "web": "web servers", "worker": "workers", "service": "services", "cron": "crons",
}
"""{value of the filter: what people read}"""
MOST_LOOKED_AT = 5_000
"""Of the newest lines, for a filter."""
MOST_PRINTED_BYTES = 16_000_000
"""Of lines that are looked at for a page, the newest: a container may print some of 16 KiB."""


async def output(asked: Asked) -> str:
    """The newest lines that are wanted."""
    found = await asked.environment()
    wanted = parse_wanted_lines(asked.query)
    printed = await _read_printed(asked, found.project, found.name, wanted.looks_at)
    shown, looked_at = await asyncio.to_thread(newest_lines, printed, wanted)
    return await asked.page(
        "output.html", environment=found, wanted=wanted, printed=shown, looked_at=looked_at,
        kinds=KINDS, lines=LINES, follow_seconds=FOLLOW_SECONDS,
    )


@dataclass(frozen=True, slots=True)
class WantedLines:
    """What the form says."""

    kind: str = ""
    """One of `KINDS`."""
    text: str = ""
    """That stands in the line or the name of who printed it; in any case of its letters."""
    lines: int = 100
    follow: bool = False
    """The page loads itself again."""

    @property
    def is_narrow(self) -> bool:
        return bool(self.kind or self.text)

    @property
    def looks_at(self) -> int:
        return MOST_LOOKED_AT if self.is_narrow else self.lines

    @property
    def query(self) -> str:
        """The same as the query of an address."""
        found = {"kind": self.kind, "text": self.text, "lines": str(self.lines), "follow": "1" * self.follow}
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
    return WantedLines(kind, query.get("text", "").strip(), parse_lines(query), query.get("follow") == "1")


def newest_lines(printed: bytes, wanted: WantedLines) -> tuple[list[dict[str, Any]], int]:
    """(those that are wanted, oldest first; how many were looked at)

    Args:
        printed: Lines of JSON, oldest first.
    """
    looked_at = [json.loads(line) for line in printed.splitlines()]
    return [line for line in looked_at if _fits(line, wanted)][-wanted.lines:], len(looked_at)


def _fits(line: Mapping[str, Any], wanted: WantedLines) -> bool:
    text = wanted.text.casefold()
    return wanted.kind in ("", line["kind"]) and (text in line["text"].casefold() or text in line["name"].casefold())


async def _read_printed(asked: Asked, project: str, environment: str, lines: int) -> bytes:
    """The newest of it, when it is much."""
    follower = await asked.queries.output.follow(project, environment, OutputFilter(), start="", lines=lines)
    found: deque[bytes] = deque()
    size = 0
    try:
        while taken := await follower.rest():
            found.append(taken)
            size += len(taken)
            while size > MOST_PRINTED_BYTES and len(found) > 1:
                size -= len(found.popleft())
    finally:
        follower.close()
    return b"".join(found)
