"""What visitors of each environment got over the last hour and the last day, in rings of counters that never grow.

    hour: 60 slots of a minute        day: 96 slots of a quarter of an hour

A line counts for the moment at which it is read, a second or two after its request ended. The rings lie in a file
beside the environment's access log, so that a restart of the daemon leaves no hole but its own.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployd.upkeep.traffic import BOUNDS_SECONDS, CLASSES, class_of

SPANS: dict[str, tuple[int, int]] = {"hour": (60, 60), "day": (900, 96)}
"""{span: (seconds of a slot, slots)}"""
SLOWEST = 2 * BOUNDS_SECONDS[-1]
"""Stands for what took longer than the last bound."""


@dataclass(slots=True)
class Slot:
    number: int
    """Its beginning in seconds since 1970, divided by its length."""
    classes: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))

    @property
    def requests(self) -> int:
        return sum(self.classes)

    def quantile(self, share: float) -> float:
        """Seconds within which so many of the answers came, to the next bound of the histogram; 0 without any."""
        wanted, seen = share * sum(self.buckets), 0
        for number, count in enumerate(self.buckets):
            seen += count
            if count and seen >= wanted:
                return (*BOUNDS_SECONDS, SLOWEST)[number]
        return 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """One slot as people and programs see it."""

    at: datetime
    """Its beginning, UTC."""
    classes: dict[str, int]
    median_seconds: float
    slow_seconds: float
    """Nineteen in twenty were quicker."""

    @property
    def requests(self) -> int:
        return sum(self.classes.values())


class Ring:
    """The newest slots of one length."""

    def __init__(self, seconds: int, slots: int) -> None:
        self._seconds = seconds
        self._most = slots
        self._slots: dict[int, Slot] = {}

    def count(self, now: float, which: int, bucket: int) -> None:
        number = int(now // self._seconds)
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = Slot(number)
            for old in [one for one in self._slots if not number - self._most < one <= number]:
                del self._slots[old]
        slot.classes[which] += 1
        slot.buckets[bucket] += 1

    def points(self, now: float) -> Iterator[Point]:
        """All slots up to now, oldest first, the empty ones too."""
        last = int(now // self._seconds)
        for number in range(last - self._most + 1, last + 1):
            slot = self._slots.get(number) or Slot(number)
            yield Point(
                datetime.fromtimestamp(number * self._seconds, UTC), dict(zip(CLASSES, slot.classes, strict=True)),
                slot.quantile(0.5), slot.quantile(0.95),
            )

    def dump(self) -> list[list[Any]]:
        return [[slot.number, slot.classes, slot.buckets] for slot in self._slots.values()]

    def load(self, found: Any) -> None:
        """
        Raises:
            ValueError, TypeError: It is not what `dump` gave.
        """
        for number, classes, buckets in found[-self._most:]:
            slot = Slot(int(number), [int(count) for count in classes], [int(count) for count in buckets])
            if len(slot.classes) != len(CLASSES) or len(slot.buckets) != len(BOUNDS_SECONDS) + 1:
                raise ValueError("another histogram")
            self._slots[slot.number] = slot


class History:
    """Of one environment."""

    def __init__(self) -> None:
        self._rings = {span: Ring(seconds, slots) for span, (seconds, slots) in SPANS.items()}
        self.changed = False
        """Since it was written last."""

    def count(self, now: float, status: int, seconds: float) -> None:
        which, bucket = CLASSES.index(class_of(status)), bisect_left(BOUNDS_SECONDS, seconds)
        for ring in self._rings.values():
            ring.count(now, which, bucket)
        self.changed = True

    def points(self, span: str, now: float) -> list[Point]:
        return list(self._rings[span].points(now))

    def write(self, file: Path) -> None:
        """Blocking."""
        self.changed = False
        new = file.with_name(f"{file.name}.new")
        new.write_text(json.dumps({span: ring.dump() for span, ring in self._rings.items()}))
        new.replace(file)


def read_history(file: Path) -> History:
    """What was written; anything else is an empty one. Blocking."""
    found = History()
    with suppress(OSError, ValueError, TypeError, KeyError):
        values = json.loads(file.read_text())
        loaded = History()
        for span, ring in loaded._rings.items():
            ring.load(values[span])
        return loaded
    return found
