"""What an operator says of a protected environment: from where it takes commits, when, and who has to approve."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from deployd.settings import valid
from deployd.settings.frozen import Frozen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
TIME = re.compile(r"(\d{1,2}):(\d{2})")
EXPIRES_HOURS = 168.0


def _minutes(value: Any) -> Any:
    """`"22:30"` as minutes of the day. YAML reads 22:30 without quotes as a number, and it is this very one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[2]) >= 60:
        raise ValueError(f'{value!r} is no time of the day, as "09:00"')
    return int(found[1]) * 60 + int(found[2])


def _in_a_day(value: int) -> int:
    if not 0 <= value <= DAY_MINUTES:
        raise ValueError("a day goes from 00:00 to 24:00")
    return value


TimeOfDay = Annotated[int, BeforeValidator(_minutes), AfterValidator(_in_a_day)]
"""Minutes since midnight."""


class Window(Frozen):
    """When something may become live: every week, on these days, between two times of the day."""

    model_config = ConfigDict(populate_by_name=True)

    days: tuple[str, ...] = DAYS
    """`mon` … `sun`, and ranges of them: `mon-thu`."""
    begin: TimeOfDay = Field(0, alias="from")
    end: TimeOfDay = Field(DAY_MINUTES, alias="to")
    """Before `from`: on the next day."""

    @field_validator("days", mode="before")
    @classmethod
    def _one_day_is_a_list_too(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("days")
    @classmethod
    def _days_are_named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("no day is named, so it would never be open; leave the key out for every day")
        return tuple(day for day in DAYS if day in set(_days_of(value)))

    @model_validator(mode="after")
    def _it_is_open_for_a_while(self) -> Window:
        if self.begin == DAY_MINUTES:
            raise ValueError("`from` cannot be 24:00; name the next day, and 00:00")
        if self.begin == self.end:
            raise ValueError("`from` and `to` are the same; leave both out for the whole day")
        return self

    @property
    def words(self) -> str:
        """For people: `mon-thu 09:00-17:00`."""
        days = "" if self.days == DAYS else f"{_days_in_words(self.days)} "
        return f"{days}{_clock(self.begin)}-{_clock(self.end)}"


class Protection(Frozen):
    """What stands before an environment that takes only what is merged."""

    source: str | None = None
    """The branch whose commits it takes; None: the project's default branch. Of one that is protected itself, what is
    live in its environment."""
    approvals: int = Field(0, ge=0, le=10)
    """People who have to approve, other than who asked."""
    approvers_other_than_authors: bool = False
    """Nor may they have written one of the commits."""
    windows: tuple[Window, ...] = ()
    """When something may become live; none: always."""
    time_zone: str = "UTC"
    """Of the windows."""
    expires_hours: float = Field(EXPIRES_HOURS, gt=0, le=8760)
    """How long a ticket waits."""

    @field_validator("source")
    @classmethod
    def _source_can_be_a_branch(cls, value: str | None) -> str | None:
        return None if value is None else valid.branch(value)

    @field_validator("time_zone")
    @classmethod
    def _time_zone_is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}; one is called as Europe/Berlin") from None
        return value


def _as_protection(value: Any) -> Any:
    """`protected: true` is short for a protection that says nothing more."""
    if isinstance(value, bool):
        return {} if value else None
    if value is not None and not isinstance(value, dict | Protection):
        raise ValueError("write true, or what stands before it: {source: main, approvals: 1}")
    return value


Protected = Annotated[Protection | None, BeforeValidator(_as_protection)]


def _days_of(written: Iterable[str]) -> Iterable[str]:
    for item in written:
        first, dash, last = item.strip().lower().partition("-")
        for day in (first, last) if dash else (first,):
            if day not in DAYS:
                raise ValueError(f"{item!r} is no day; there are {', '.join(DAYS)}, and ranges as mon-thu")
        if not dash:
            yield first
            continue
        begin, end = DAYS.index(first), DAYS.index(last)
        yield from DAYS[begin:end + 1] if begin <= end else (*DAYS[begin:], *DAYS[:end + 1])


def _days_in_words(days: tuple[str, ...]) -> str:
    runs: list[list[str]] = []
    for day in days:
        if runs and DAYS.index(runs[-1][-1]) + 1 == DAYS.index(day):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
