"""Which lines of what an environment prints are wanted, and which those are. Pure.

What a container printed is shown as text, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from deployd.console.requests import LINES
from deployd.errors import Unusable

KINDS = {
    "": "all", "app": "applications", "web": "web servers", "worker": "workers", "service": "services", "cron": "crons",
}
"""{value of the filter: what people read}"""
MOST_LOOKED_AT = 5_000
"""Of the newest lines, for a filter."""


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
    kind, lines = query.get("kind", ""), query.get("lines", "100")
    if kind not in KINDS:
        raise Unusable(f"kind cannot be {kind[:20]!r}", mend=f"one of {', '.join(filter(None, KINDS))}, or none")
    if lines not in map(str, LINES):
        raise Unusable(f"lines cannot be {lines[:20]!r}", mend=f"one of {', '.join(map(str, LINES))}")
    return WantedLines(kind, query.get("text", "").strip(), int(lines), query.get("follow") == "1")


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
