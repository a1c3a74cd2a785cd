"""How moments are written: ISO 8601, UTC; empty when there is none. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def iso_of_seconds(seconds: float) -> str:
    """Of a number that somebody else wrote: seconds since 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""   # a note that is none of ours
