"""The files of tests that take longest begin first: one that begins last is waited for by all the others.

`tests/durations.txt` says how long each of them took; unit tests that are not in it are quick, and come last. A run of
all tests writes what it measured to `build/durations.txt`, to be put in its place when much has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
KEPT, MEASURED = REPOSITORY / "tests/durations.txt", REPOSITORY / "build/durations.txt"
QUICK, UNKNOWN_SECONDS = ("tests/unit/", "tests/property/"), 20.0
"""Folders of files that are quick when they are not in the table; and what another one may take."""
LEAST_SECONDS = 5.0
"""Files that took less are not worth a line."""


def read_durations(file: Path = KEPT) -> Mapping[str, float]:
    """{path of a file of tests: seconds}"""
    lines = (line.split() for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {name: float(seconds) for seconds, name in lines}


def expected_seconds(name: str, kept: Mapping[str, float]) -> float:
    """How long a file will take."""
    return kept.get(name, 0.0 if name.startswith(QUICK) else UNKNOWN_SECONDS)


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class Stopwatch:
    """How long each file of a run takes."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()

    def add(self, nodeid: str, seconds: float) -> None:
        """A test, or what was done before or after it."""
        self._seconds[file_of(nodeid)] += seconds   # type: ignore[assignment]

    def has_seen(self, files: Iterable[str]) -> bool:
        """Whether something of each file was run."""
        return set(files) <= self._seconds.keys()

    def table(self) -> str:
        """The longest first."""
        return "".join(
            f"{seconds:6.0f} {name}\n" for name, seconds in self._seconds.most_common() if seconds >= LEAST_SECONDS
        )
