"""How many lines a page shows, and how soon it loads itself again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.errors import Unusable

LINES = (20, 100, 500, 1000)
FOLLOW_SECONDS = 5
"""New requests stand in the log a second or two after they ended."""


def parse_lines(query: Mapping[str, str]) -> int:
    """
    Raises:
        Unusable: A number that the form does not offer.
    """
    lines = query.get("lines", "100")
    if lines not in map(str, LINES):
        raise Unusable(f"lines cannot be {lines[:20]!r}", hint=f"one of {', '.join(map(str, LINES))}")
    return int(lines)
