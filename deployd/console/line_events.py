"""A line of a log as the script of a page is told of it: texts and names of classes, and never HTML.

Fifty who look at the same deployment are told the same bytes, which are made once.
"""

from __future__ import annotations

import json
from functools import lru_cache

from deployd.activity.line import Line
from deployd.http.event_stream import Event

MOST_KEPT, LONGEST_KEPT = 1_024, 1_000
"""Lines, and characters of one: some megabytes of what was told last."""


def line_event(line: Line) -> bytes:
    """An event of the stream; a browser that comes back says the number of its line."""
    is_short = len(line.text) <= LONGEST_KEPT and not line.more
    return _kept_event(line) if is_short else _event(line)


def segments(line: Line) -> list[tuple[str, str]]:
    """(text, style) of a line, one after the other; no style is an empty one."""
    found, end = [], 0
    for first, length, style in line.colours:
        found += [(line.text[end:first], ""), (line.text[first:first + length], style)]
        end = first + length
    return [(text, style) for text, style in (*found, (line.text[end:], "")) if text]


def _event(line: Line) -> bytes:
    shown = {
        "number": line.number, "at": line.at, "kind": line.kind, "phase": line.phase, "app": line.app,
        "where": line.where, "more": line.more, "segments": segments(line),
    }
    return Event("line", json.dumps(shown, ensure_ascii=False), str(line.number)).encoded()


_kept_event = lru_cache(MOST_KEPT)(_event)
