"""The page with requests of an access log, and which of them are wanted.

What stands in a request was written by strangers; it is compared and shown, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from deployd.console.asked import Asked
from deployd.console.lines import FOLLOW_SECONDS, LINES, cut, parse_lines
from deployd.errors import Unusable
from deployd.queries.access_logs import RequestShape

STATUSES = {
    "": "all", "2xx": "2xx: answered", "3xx": "3xx: led elsewhere", "4xx": "4xx: refused or not found",
    "5xx": "5xx: failed", "0": "0: left before an answer",
}
"""{value of the filter: what people read}"""
MOST_LOOKED_AT = 20_000
"""Of the log, for a filter: reading and comparing them takes 0.25 s, in threads."""
EMPTY = {"str": "", "int": 0, "float": 0.0}


async def access_log(asked: Asked) -> str:
    """The newest requests that are wanted."""
    found = await asked.environment()
    wanted = parse_wanted_requests(asked.query)
    shown, looked_at = await _read_log(asked, found.project, found.name, wanted)
    return await asked.page(
        "access_log.html", environment=found, wanted=wanted, requests=shown, cut=cut, looked_at=looked_at,
        statuses=STATUSES, lines=LINES, follow_seconds=FOLLOW_SECONDS,
        several_hosts=len({item.host for item in shown}) > 1,
    )


@dataclass(frozen=True, slots=True)
class WantedRequests:
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
    def still(self) -> WantedRequests:
        """The same on a page that does not load itself."""
        return replace(self, follow=False)


def parse_wanted_requests(query: Mapping[str, str]) -> WantedRequests:
    """
    Raises:
        Unusable: A value is none that the form offers.
    """
    status = query.get("status", "")
    if status not in STATUSES:
        raise Unusable(f"status cannot be {status[:20]!r}", hint=f"one of {', '.join(filter(None, STATUSES))}, or none")
    return WantedRequests(status, query.get("path", "").strip(), parse_lines(query), query.get("follow") == "1")


def parse_request(item: Mapping[str, Any]) -> RequestShape:
    """A line of the log; what an earlier deployd did not write is empty."""
    return RequestShape(**{field.name: item.get(field.name, EMPTY[str(field.type)]) for field in fields(RequestShape)})


def newest_of(items: Sequence[Mapping[str, Any]], wanted: WantedRequests) -> list[RequestShape]:
    """Those that are wanted, newest first.

    Args:
        items: Lines of the log, oldest first.
    """
    fit = (request for request in map(parse_request, reversed(items)) if _fits(request, wanted))
    return list(islice(fit, wanted.lines))


def _fits(request: RequestShape, wanted: WantedRequests) -> bool:
    if wanted.status and wanted.status[0] != str(request.status)[:1]:
        return False
    return wanted.path.casefold() in request.path.casefold()


async def _read_log(
    asked: Asked, project: str, environment: str, wanted: WantedRequests,
) -> tuple[list[RequestShape], int]:
    """(those that are wanted, newest first; how many were looked at). Of what was looked at no more is kept."""
    tail = await asked.queries.access_logs.follow(project, environment, wanted.looks_at)
    found: list[RequestShape] = []
    looked_at = 0
    try:
        while taken := await tail.rest():
            found = (await asyncio.to_thread(newest_of, taken, wanted) + found)[:wanted.lines]
            looked_at += len(taken)
    finally:
        tail.close()
    return found, looked_at
