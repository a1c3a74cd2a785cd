"""Which requests of an access log are wanted, and which those are. Pure.

What stands in a request was written by strangers; it is compared and shown, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from deployd.api.shapes import RequestShape
from deployd.errors import Unusable

STATUSES = {
    "": "all", "2xx": "2xx: answered", "3xx": "3xx: led elsewhere", "4xx": "4xx: refused or not found",
    "5xx": "5xx: failed", "0": "0: left before an answer",
}
"""{value of the filter: what people read}"""
LINES = (20, 100, 500, 1000)
MOST_LOOKED_AT = 20_000
"""Of the log, for a filter: reading and comparing them takes 0.25 s, in threads."""
EMPTY = {"str": "", "int": 0, "float": 0.0}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form says."""

    status: str = ""
    """One of `STATUSES`."""
    path: str = ""
    """Text that stands in the path or the query; in any case of its letters."""
    lines: int = 100
    follow: bool = False
    """The page loads itself again."""

    @property
    def is_narrow(self) -> bool:
        return bool(self.status or self.path)

    @property
    def looks_at(self) -> int:
        """How many of the newest requests have to be read."""
        return MOST_LOOKED_AT if self.is_narrow else self.lines

    @property
    def query(self) -> str:
        """The same as the query of an address."""
        found = {"status": self.status, "path": self.path, "lines": str(self.lines), "follow": "1" * self.follow}
        return urlencode({name: value for name, value in found.items() if value})

    @property
    def still(self) -> Wanted:
        """The same on a page that does not load itself."""
        return replace(self, follow=False)


def parse_wanted(query: Mapping[str, str]) -> Wanted:
    """
    Raises:
        Unusable: A value is none that the form offers.
    """
    status, lines = query.get("status", ""), query.get("lines", "100")
    if status not in STATUSES:
        raise Unusable(f"status cannot be {status[:20]!r}", mend=f"one of {', '.join(filter(None, STATUSES))}, or none")
    if lines not in map(str, LINES):
        raise Unusable(f"lines cannot be {lines[:20]!r}", mend=f"one of {', '.join(map(str, LINES))}")
    return Wanted(status, query.get("path", "").strip(), int(lines), query.get("follow") == "1")


def parse_request(item: Mapping[str, Any]) -> RequestShape:
    """A line of the log; what an earlier deployd did not write is empty."""
    return RequestShape(**{field.name: item.get(field.name, EMPTY[str(field.type)]) for field in fields(RequestShape)})


def newest_of(items: Sequence[Mapping[str, Any]], wanted: Wanted) -> list[RequestShape]:
    """Those that are wanted, newest first.

    Args:
        items: Lines of the log, oldest first.
    """
    fit = (request for request in map(parse_request, reversed(items)) if _fits(request, wanted))
    return list(islice(fit, wanted.lines))


def _fits(request: RequestShape, wanted: Wanted) -> bool:
    if wanted.status and wanted.status[0] != str(request.status)[:1]:
        return False
    return wanted.path.casefold() in request.path.casefold()
