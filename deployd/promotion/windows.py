"""When deployment windows are open. Pure; times are those of the clock on the wall, in the protection's time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deployd.settings.protection import DAY_MINUTES, DAYS, Protection, Window

LOOKED_AHEAD_DAYS = 8


def is_open(protection: Protection, now: datetime) -> bool:
    """Whether something may become live at a moment."""
    if not protection.windows:
        return True
    there = now.astimezone(ZoneInfo(protection.time_zone))
    minute = there.hour * 60 + there.minute
    return any(_holds(window, there.weekday(), minute) for window in protection.windows)


def next_opening(protection: Protection, now: datetime) -> datetime | None:
    """When it opens next, in UTC; None: it is open."""
    if is_open(protection, now):
        return None
    return min(moment for moment in _openings(protection, now) if moment > now)


def words(protection: Protection) -> str:
    """For people: `mon-thu 09:00-17:00 Europe/Berlin`."""
    return f"{', '.join(window.words for window in protection.windows)} {protection.time_zone}"


def _holds(window: Window, weekday: int, minute: int) -> bool:
    """One that ends before it begins goes on until the next day."""
    today, before = DAYS[weekday] in window.days, DAYS[weekday - 1] in window.days
    if window.begin < window.end:
        return today and window.begin <= minute < window.end
    return (today and minute >= window.begin) or (before and minute < window.end)


def _openings(protection: Protection, now: datetime) -> Iterator[datetime]:
    zone = ZoneInfo(protection.time_zone)
    today = now.astimezone(zone).date()
    for days in range(LOOKED_AHEAD_DAYS + 1):
        day = today + timedelta(days=days)
        for window in protection.windows:
            if DAYS[day.weekday()] in window.days and window.begin < DAY_MINUTES:
                at = time(window.begin // 60, window.begin % 60)
                yield datetime.combine(day, at, zone).astimezone(UTC)
