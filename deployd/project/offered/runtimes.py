"""Every runtime that the hosted platforms ever offered, and its versions (configuration format 4.3). Values only.

Which of them this host can run is the catalogue's business; here it only matters whether the word means something.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Versions:
    supported: tuple[str, ...]
    """Supported by the hosted platforms in August 2026."""
    retired: tuple[str, ...]
    """No longer supported there: accepted with a warning."""

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.retired, *self.supported)


def versions(supported: str, retired: str = "") -> Versions:
    """From two lines of words."""
    return Versions(tuple(supported.split()), tuple(retired.split()))


RUNTIMES: dict[str, Versions] = {
    "dotnet": versions("8.0 10.0", "2.0 2.1 2.2 3.1 5.0 6.0 7.0"),
    "elixir": versions("1.20", "1.9 1.10 1.11 1.12 1.13 1.14 1.15 1.18 1.19"),
    "golang": versions(
        "1.25 1.26", "1.8 1.9 1.10 1.11 1.12 1.13 1.14 1.15 1.16 1.17 1.18 1.19 1.20 1.21 1.22 1.23 1.24"
    ),
    "java": versions("17 21 25", "8 11 12 13 14 18 19"),
    "lisp": versions("", "1.5 2.0 2.1"),
    "nodejs": versions(
        "24 26", "0.12 4.2 4.3 4.4 4.5 4.6 4.7 4.8 6 6.1 6.2 6.3 6.6 6.8 6.9 6.10 6.11 8 8.2 8.9 10 12 14 16 18 20 22"
    ),
    "php": versions("8.4 8.5", "5.4 5.5 5.6 7.0 7.1 7.2 7.3 7.4 8.0 8.1 8.2 8.3"),
    "python": versions("3.13 3.14", "2.7 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12"),
    "ruby": versions("3.3 3.4 4.0", "2.3 2.4 2.5 2.6 2.7 3.0 3.1 3.2"),
    "rust": versions("1", "1.93"),
    "hhvm": versions("", "3.9 3.12 3.15 3.18"),
    "composable": versions("25.05 25.11 26.05"),
}
