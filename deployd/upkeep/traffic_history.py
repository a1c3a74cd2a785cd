"""What visitors of each environment got over the last hour and the last day, in rings of counters that never grow.

    hour: 60 slots of a minute        day: 96 slots of a quarter of an hour

A line counts for the moment at which it is read, a second or two after its request ended. The rings lie in a file
beside the environment's access log, so that a restart of the daemon leaves no hole but its own.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from deployd.upkeep.traffic import BOUNDS_SECONDS, CLASSES, class_of

SPANS: dict[str, tuple[int, int]] = {"hour": (60, 60), "day": (900, 96)}
"""{span: (seconds of a slot, slots)}"""
SLOWEST = 2 * BOUNDS_SECONDS[-1]
"""Stands for what took longer than the last bound."""
WIDTH = len(CLASSES) + len(BOUNDS_SECONDS) + 1
"""Numbers of a slot."""
NONE = -1
"""A place of a ring in which there is no slot."""
FILE = "traffic.json"
"""In the folder of the environment, with which it goes."""


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
    """The newest slots of one length. Flat, because there is one for each environment that is visited."""

    def __init__(self, seconds: int, slots: int) -> None:
        self._seconds = seconds
        self._most = slots
        self._numbers = array("q", [NONE] * slots)
        self._counts = array("Q", bytes(8 * WIDTH * slots))

    def count(self, now: float, which: int, bucket: int) -> None:
        number = int(now // self._seconds)
        place = number % self._most
        if self._numbers[place] != number:
            self._forget_all_but(number)
            self._numbers[place] = number
        self._counts[place * WIDTH + which] += 1
        self._counts[place * WIDTH + len(CLASSES) + bucket] += 1

    def points(self, now: float) -> Iterator[Point]:
        """All slots up to now, oldest first, the empty ones too."""
        last = int(now // self._seconds)
        for number in range(last - self._most + 1, last + 1):
            slot = self._slot(number)
            yield Point(
                datetime.fromtimestamp(number * self._seconds, UTC), dict(zip(CLASSES, slot.classes, strict=True)),
                slot.quantile(0.5), slot.quantile(0.95),
            )

    def dump(self) -> list[list[Any]]:
        slots = (self._slot(number) for number in sorted(self._numbers) if number != NONE)
        return [[slot.number, slot.classes, slot.buckets] for slot in slots]

    def load(self, found: Any) -> None:
        """
        Raises:
            ValueError, TypeError, OverflowError: It is not what `dump` gave.
        """
        for number, classes, buckets in found[-self._most:]:
            slot = Slot(int(number), [int(count) for count in classes], [int(count) for count in buckets])
            if len(slot.classes) != len(CLASSES) or len(slot.buckets) != len(BOUNDS_SECONDS) + 1:
                raise ValueError("another histogram")
            place = slot.number % self._most
            self._numbers[place] = slot.number
            self._counts[place * WIDTH:(place + 1) * WIDTH] = array("Q", slot.classes + slot.buckets)

    def _slot(self, number: int) -> Slot:
        place = number % self._most
        if self._numbers[place] != number:
            return Slot(number)
        counts = list(self._counts[place * WIDTH:(place + 1) * WIDTH])
        return Slot(number, counts[:len(CLASSES)], counts[len(CLASSES):])

    def _forget_all_but(self, last: int) -> None:
        """Slots that are too old, and those of a clock that was set back."""
        for place, number in enumerate(self._numbers):
            if not last - self._most < number < last:
                self._numbers[place] = NONE
                self._counts[place * WIDTH:(place + 1) * WIDTH] = array("Q", bytes(8 * WIDTH))


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
        new = file.with_name(f"{file.name}.new")
        new.write_text(json.dumps({span: ring.dump() for span, ring in self._rings.items()}))
        new.replace(file)
        self.changed = False


def read_history(file: Path) -> History:
    """What was written; anything else is an empty one. Blocking."""
    found = History()
    with suppress(OSError, ValueError, TypeError, KeyError, OverflowError):
        values = json.loads(file.read_text())
        loaded = History()
        for span, ring in loaded._rings.items():
            ring.load(values[span])
        return loaded
    return found


class Histories:
    """Of all environments. Counted in a thread, and read in others."""

    def __init__(self, folder_of: Callable[[str], Path]) -> None:
        """
        Args:
            folder_of: {`<project>/<environment>`: its folder}
        """
        self._folder_of = folder_of
        self._known: dict[str, History] = {}
        self._lock = Lock()

    def count(self, environment: str, now: float, requests: list[tuple[int, float]]) -> None:
        """
        Args:
            requests: (status, seconds)
        """
        with self._lock:
            history = self._find(environment)
            for status, seconds in requests:
                history.count(now, status, seconds)

    def points(self, environment: str, span: str, now: float) -> list[Point]:
        """Blocking, when it was not read yet."""
        with self._lock:
            return self._find(environment).points(span, now)

    def write(self) -> None:
        """Write down what has changed, and forget environments that are gone. Blocking."""
        for environment in list(self._known):
            folder = self._folder_of(environment)
            with self._lock:
                if not folder.is_dir():
                    del self._known[environment]
                elif self._known[environment].changed:
                    with suppress(OSError):   # a full disk: it is tried again
                        self._known[environment].write(folder / FILE)

    def _find(self, environment: str) -> History:
        history = self._known.get(environment)
        if history is None:
            history = self._known[environment] = read_history(self._folder_of(environment) / FILE)
        return history
