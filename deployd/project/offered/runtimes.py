"""Every runtime that the hosted platforms ever offered: a row for each (configuration format 4.3). Values only.

Which of them this host can run is the catalogue's business; here it only matters what the word means.
"""

from __future__ import annotations

from deployd.project.offered.php import HHVM, PHP
from deployd.project.offered.runtime_type import RuntimeType
from deployd.project.offered.versions import Versions, versions


def _type(
    supported: str, retired: str = "", flavors: str = "none", *, least_memory_mb: int = 0, runs_older: bool = False,
) -> RuntimeType:
    """A runtime whose applications name a start command, and whose `runtime` has no settings."""
    return RuntimeType(
        versions(supported, retired), tuple(flavors.split()), least_memory_mb=least_memory_mb, runs_older=runs_older,
    )


RUNTIMES: dict[str, RuntimeType] = {
    "dotnet": _type("8.0 10.0", "2.0 2.1 2.2 3.1 5.0 6.0 7.0"),
    "elixir": _type("1.20", "1.9 1.10 1.11 1.12 1.13 1.14 1.15 1.18 1.19"),
    "golang": _type(
        "1.25 1.26", "1.8 1.9 1.10 1.11 1.12 1.13 1.14 1.15 1.16 1.17 1.18 1.19 1.20 1.21 1.22 1.23 1.24",
        runs_older=True,
    ),
    # A JVM with a framework has 200 MB of classes and compiled code beside its heap.
    "java": _type("17 21 25", "8 11 12 13 14 18 19", least_memory_mb=1024, runs_older=True),
    "lisp": _type("", "1.5 2.0 2.1", flavors="default none"),
    "nodejs": _type(
        "24 26", "0.12 4.2 4.3 4.4 4.5 4.6 4.7 4.8 6 6.1 6.2 6.3 6.6 6.8 6.9 6.10 6.11 8 8.2 8.9 10 12 14 16 18 20 22",
        flavors="default none",
    ),
    "php": PHP,
    "python": _type("3.13 3.14", "2.7 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12"),
    "ruby": _type("3.3 3.4 4.0", "2.3 2.4 2.5 2.6 2.7 3.0 3.1 3.2"),
    "rust": _type("1", "1.93", runs_older=True),
    "hhvm": HHVM,
}
COMPOSABLE = "composable"
"""Of an image in which a `stack` names the runtime."""
EXAMPLE = "php:8.4"
"""The type that findings show to somebody who names none."""
LANGUAGES = ("php", "python", "python2", "python3", "ruby", "nodejs")
"""Of `dependencies`: a vocabulary of its own, whose packages are installed whatever the application's runtime is."""
NOT_INSTALLED = ("java",)
"""Further ones of the hosted platforms, whose package managers deployd does not start."""
WITH_SECRET_KEY = ("elixir", "ruby")
"""Whose frameworks (Phoenix, Rails) look for SECRET_KEY_BASE, which the hosted platforms make."""
VERSIONS: dict[str, Versions] = {name: known.versions for name, known in RUNTIMES.items()}
INI_PREFIXES = frozenset(name for name, known in RUNTIMES.items() if known.ini_variables)
OLD_ENDPOINTS = frozenset(known.old_endpoint for known in RUNTIMES.values() if known.old_endpoint)
_UNKNOWN = _type("")


def runtime_type(name: str) -> RuntimeType:
    """Of a name that no runtime has: what can be said of any."""
    return RUNTIMES.get(name, _UNKNOWN)
