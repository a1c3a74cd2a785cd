"""When a cron is due: five fields of a schedule, read in the application's time zone. Pure.

The calendar, and what happens when the clocks change, is the business of cronsim, which does as Debian's cron does: a
cron at a fixed time that the change skips runs right after it, one in the hour that comes twice runs once. Here is only
what cronsim does not know: `H`, whole names of days and months, and ranges over the end (`fri-mon`).
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

PART = re.compile(
    r"(?:(?P<star>\*)|h(?:\((?P<low>\d+)-(?P<high>\d+)\))?|(?P<first>\w+?)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?",
    re.ASCII,
)
FIELDS = (   # first and last value, the last one that `H` may become, names
    (0, 59, 59, ()),
    (0, 23, 23, ()),
    (1, 31, 28, ()),   # every month has a 28th
    (1, 12, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    (0, 7, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def next_due(spec: str, after: datetime, zone: str | None = None, *, seed: str = "") -> datetime | None:
    """The first moment after another at which a schedule is due, in UTC; None when it never is (the 31st of February).

    Args:
        spec: As the reader of the configuration let it pass.
        zone: IANA name; None, or one that this host does not know, is UTC.
        seed: What `H` is drawn from: the same cron always gets the same values.
    """
    place = zone_of(zone)
    try:
        times = CronSim(plain_spec(spec, seed), after.astimezone(place))
        for due in times:
            moment = due.astimezone(UTC)
            if moment > after:   # in the hour that comes twice cronsim gives the first of both
                return moment
    except CronSimError:
        return None
    return None


def zone_of(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def plain_spec(spec: str, seed: str = "") -> str:
    """A schedule of numbers, stars, ranges and steps only.

    Raises:
        CronSimError: It is not a schedule; the reader of the configuration lets none of these pass.
    """
    fields = spec.lower().split()
    if len(fields) != len(FIELDS):
        raise CronSimError("a schedule has five fields")
    return " ".join(
        ",".join(_part(part, number, seed) for part in text.split(",")) for number, text in enumerate(fields)
    )


def _part(text: str, number: int, seed: str) -> str:
    least, most, most_drawn, names = FIELDS[number]
    found = PART.fullmatch(text)
    if found is None:
        raise CronSimError(f"{text} is not understood")
    if found["star"]:
        return text
    step = int(found["step"]) if found["step"] else None
    if text.startswith("h"):
        low, high = int(found["low"] or least), int(found["high"] or most_drawn)
        return _drawn(low, high, step, f"{seed}/{number}")
    first = _number(found["first"], number, names)
    if found["last"] is None:
        return str(first) if step is None else f"{first}-{most}/{step}"
    last = _number(found["last"], number, names)
    if first <= last:
        return f"{first}-{last}" + (f"/{step}" if step else "")
    top = most_drawn if number == 4 else most   # 7 is Sunday again
    around = [*range(first, top + 1), *range(least, last + 1)]
    return ",".join(map(str, around[:: step or 1]))


def _drawn(low: int, high: int, step: int | None, seed: str) -> str:
    low, high = min(low, high), max(low, high)
    drawn = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    if step is None:
        return str(low + drawn % (high - low + 1))
    first = low + drawn % min(step, high - low + 1)
    return ",".join(map(str, range(first, high + 1, step)))


def _number(text: str, number: int, names: tuple[str, ...]) -> int:
    if text[:3] in names and text.isalpha():
        return names.index(text[:3]) + (1 if number == 3 else 0)
    if not text.isdigit():
        raise CronSimError(f"{text} is not understood")
    return int(text)
