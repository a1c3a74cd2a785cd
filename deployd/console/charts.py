"""What visitors got over an hour or a day, as columns and lines of a drawing. Pure; the template writes the SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10

from deployd.upkeep.traffic_history import Point

WIDTH, HEIGHT = 720.0, 120.0
LEAST_SECONDS, TOPS_SECONDS = 0.005, (0.5, 5.0, 60.0, 600.0)
"""Of the axis of latencies, which is logarithmic: its foot, and its top, which is the next one above the slowest."""
CLASSES = ("5xx", "4xx", "3xx", "2xx", "1xx")
"""From the ground up: what is wrong stands on the axis."""


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    width: float
    at: datetime
    parts: tuple[tuple[str, float, float], ...]
    """(class, y, height), from the ground up"""
    requests: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """When visitors were held."""

    began: datetime
    ended: datetime
    held: int
    longest_seconds: float


@dataclass(frozen=True, slots=True)
class Chart:
    columns: tuple[Column, ...]
    most: int
    """Requests of the highest column, rounded up: what the top of the drawing stands for."""
    median: str
    """Points of a line: `x,y x,y …`"""
    slow: str
    slowest_seconds: float
    top_seconds: float
    """What the top of the drawing of times stands for."""
    held: tuple[tuple[float, float, Freeze], ...]
    """(x, width, freeze)"""
    requests: int
    began: datetime
    ended: datetime


def chart(points: Sequence[Point], freezes: Iterable[Freeze] = ()) -> Chart:
    """
    Args:
        points: Of equal lengths, oldest first; two at least.
    """
    began, length = points[0].at, points[1].at - points[0].at
    ended = points[-1].at + length
    most = _nice(max(point.requests for point in points))
    width = WIDTH / len(points)
    slowest = max(point.slow_seconds for point in points)
    top = next((top for top in TOPS_SECONDS if slowest <= top), TOPS_SECONDS[-1])
    whole = (ended - began).total_seconds()

    def place(moment: datetime) -> float:
        return min(WIDTH, max(0.0, WIDTH * (moment - began).total_seconds() / whole))

    columns = tuple(_column(number * width, width, point, most) for number, point in enumerate(points))
    return Chart(
        columns, most, _line(points, width, "median", top), _line(points, width, "slow", top), slowest, top,
        tuple(
            (round(place(freeze.began), 1), round(max(2.0, place(freeze.ended) - place(freeze.began)), 1), freeze)
            for freeze in freezes if freeze.ended >= began and freeze.began < ended
        ),
        sum(point.requests for point in points), began, ended,
    )


def _column(x: float, width: float, point: Point, most: int) -> Column:
    parts, ground = [], HEIGHT
    for name in CLASSES:
        height = HEIGHT * point.classes.get(name, 0) / most
        if height:
            ground -= height
            parts.append((name, round(ground, 2), round(height, 2)))
    return Column(round(x, 2), round(width * 0.85, 2), point.at, tuple(parts), point.requests)


def _line(points: Sequence[Point], width: float, which: str, top: float) -> str:
    """Where there was a request; a line of nothing is none."""
    found = []
    for number, point in enumerate(points):
        if point.requests:
            seconds = point.median_seconds if which == "median" else point.slow_seconds
            found.append(f"{(number + 0.5) * width:.1f},{_height(seconds, top):.1f}")
    return " ".join(found)


def _height(seconds: float, top: float) -> float:
    share = log10(max(seconds, LEAST_SECONDS) / LEAST_SECONDS) / log10(top / LEAST_SECONDS)
    return HEIGHT * (1 - min(1.0, share))


def _nice(most: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, …"""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if most <= step * factor:
                return step * factor
        step *= 10
