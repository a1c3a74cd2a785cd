"""What stands behind the question mark of an address, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from deployd.errors import Unusable
from deployd.output.outputs import place_of
from deployd.output.sources import Wanted

DIGITS = 15
"""More than a number of ours ever has."""
DEFAULT_LINES, MOST_LINES = 100, 10_000
TIME_OF_LINE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")


def number_of(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS):
        raise Unusable(f"{what} must be a whole number, not {text[:DIGITS]!r}")
    return int(text)


def wanted_output(query: Mapping[str, str]) -> Wanted:
    """Whose output a reader wants."""
    names = {name: query.get(name, "") for name in ("app", "worker", "service", "cron")}
    version = query.get("version")
    return Wanted(**names, version=None if version is None else number_of(version, "version"))


def place_in_output(query: Mapping[str, str]) -> tuple[str, int | None]:
    """(no line that is older, how many of the last ones).

    Raises:
        Unusable: No time, or no number.
    """
    after, since, lines = query.get("after"), query.get("since"), query.get("lines")
    count = min(number_of(lines, "lines"), MOST_LINES) if lines is not None else None
    if after is not None:
        if not TIME_OF_LINE.fullmatch(after):
            raise Unusable(f"after must be the time of a line, as it stands there, not {after[:40]!r}")
        return after[:-1] + "\0", count   # the least text that is greater
    if since is None:
        return "", DEFAULT_LINES if count is None else count
    try:
        moment = datetime.fromisoformat(since)
        return place_of(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)), count
    except (ValueError, OverflowError):   # in UTC some date is before the year 1
        raise Unusable(f"since must be a date (ISO 8601), not {since[:40]!r}") from None
