"""What visitors did since the daemon started, counted for each environment from the access log.

Counters of a monitoring system may begin again with every start, so nothing is kept on disk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the latency histogram; a freeze lasts 300 s at most."""
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


@dataclass
class Visits:
    """Figures of one environment."""

    classes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))
    """{class of the status: answers}"""
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    """Answers by their time: at most `BOUNDS_SECONDS[i]`, and the rest."""
    seconds: float = 0.0

    def count(self, status: int, seconds: float) -> None:
        self.classes[class_of(status)] += 1
        self.buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds


def class_of(status: int) -> str:
    """Of what an application answers it may be any three digits; 0: the client left before there was an answer."""
    found = f"{status // 100}xx"
    return found if found in CLASSES else "5xx" if status else "4xx"


class Traffic:
    """{environment: its visits}"""

    def __init__(self) -> None:
        self._visits: dict[str, Visits] = {}
        self.lost_lines = 0
        """Lines that could not be read or kept."""

    def count(self, environment: str, status: int, seconds: float) -> None:
        visits = self._visits.get(environment)
        if visits is None:
            visits = self._visits[environment] = Visits()
        visits.count(status, seconds)

    def forget_all_but(self, environments: Collection[str]) -> None:
        """Environments that are gone leave nothing behind."""
        for name in self._visits.keys() - set(environments):
            del self._visits[name]

    @property
    def visits(self) -> Mapping[str, Visits]:
        """{`<project>/<environment>`: figures}"""
        return self._visits
