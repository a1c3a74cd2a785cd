"""One line of an activity log, as it stands in the file. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an activity's log."""

    number: int
    at: str
    """ISO 8601, UTC."""
    kind: str
    """`phase`, `line`, `output`, `warn`, `done`, `error`, `held` or `end`."""
    phase: str
    text: str
    app: str = ""
    where: str = ""
    more: tuple[str, ...] = ()
    """Evidence and mend of an error; evidence of a warning."""


def write_line(line: Line) -> bytes:
    """A line as bytes of the file, without its line break."""
    return json.dumps(asdict(line), ensure_ascii=False).encode("utf-8", "replace")


def parse_line(raw: bytes | str) -> Line | None:
    """A line of the file as a value; None for one that was torn when the daemon died or the disk was full."""
    try:
        values: dict[str, Any] = json.loads(raw)
        return Line(**{**values, "more": tuple(values["more"])})
    except (ValueError, TypeError, KeyError):
        return None
