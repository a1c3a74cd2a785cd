"""What project files may say of one kind of application, and what is meant when they do not say it. Values only.

How it is done is a `Runtime` in `runtimes/`: what the files may say needs no program of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from deployd.project.offered.versions import Versions

State = Literal["default", "built-in", "available", "absent"]
_STATES: dict[str, State] = {"d": "default", "b": "built-in", "a": "available", "-": "absent"}


@dataclass(frozen=True, slots=True)
class Extensions:
    """Which extension each version has."""

    versions: tuple[str, ...]
    table: Mapping[str, str]
    """{extension: a letter for each version}: `d` loaded unless disabled, `b` part of the binary, `a` available, `-`
    absent."""

    def state(self, name: str, version: str) -> State | None:
        """What an extension is in a version; None when no version ever had one of this name."""
        letters = self.table.get(name)
        if letters is None:
            return None
        return _STATES[letters[self.versions.index(version)]] if version in self.versions else "available"

    def names(self, version: str) -> list[str]:
        """All that the version has."""
        return [name for name in self.table if self.state(name, version) != "absent"]


@dataclass(frozen=True, slots=True)
class Server:
    """What answers when the files name no start command."""

    title: str
    socket_family: Literal["tcp", "unix"]
    protocol: Literal["http", "fastcgi"]


@dataclass(frozen=True, slots=True)
class FlavorNotBuilt:
    """A build flavor whose program is not run: refused where that program would find something to build."""

    why: str
    hint: str
    sources: re.Pattern[str]
    """Names of files in the application's root from which it builds; without one it takes the files as they are."""


@dataclass(frozen=True, slots=True)
class RuntimeType:
    versions: Versions
    flavors: tuple[str, ...] = ("none",)
    """Build flavors, the default one first."""
    not_built: Mapping[str, FlavorNotBuilt] | None = None
    """Flavors besides these."""
    server: Server | None = None
    """None: a start command is needed, and requests go to it when no location says otherwise."""
    title: str = ""
    """The language whose settings `runtime` has, as findings call it; empty: none are documented."""
    extensions: Extensions | None = None
    """Those that `runtime.extensions` may name."""
    ini_variables: bool = False
    """Variables with its name as their prefix (`php:memory_limit`) are settings of its ini file."""
    runs_magento: bool = False
    """A Magento may be its application, which deployd has a recipe for."""
    runs_older: bool = False
    """Its makers promise that a newer version builds and runs what was written for an older one."""
    least_memory_mb: int = 0
    """What an application needs that names no size; 0: any does."""
    old_endpoint: str = ""
    """What routes called the endpoint `http` of its applications once."""
