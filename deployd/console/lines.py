"""How many lines a page shows, how much of each, and how soon it loads itself again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.errors import Unusable

LINES = (20, 100, 500, 1000)
FOLLOW_SECONDS = 5
"""New requests stand in the log a second or two after they ended."""


LONGEST_SHOWN = 2_000
"""Characters of a line: a thousand lines of 16,000 make a page that no browser likes. All of it is in what the command
line shows."""


def cut(text: str, most: int = LONGEST_SHOWN) -> str:
    """As much of it as a page shows."""
    return text if len(text) <= most else f"{text[:most]} […]"


def parse_lines(query: Mapping[str, str]) -> int:
    """
    Raises:
        Unusable: A number that the form does not offer.
    """
    lines = query.get("lines", "100")
    if lines not in map(str, LINES):
        raise Unusable(f"lines cannot be {lines[:20]!r}", hint=f"one of {', '.join(map(str, LINES))}")
    return int(lines)
