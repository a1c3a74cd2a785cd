"""What a release has to pass: smoke tests, and what becomes of one that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deployd.project.model.json import nothing
from deployd.project.model.place import NOWHERE, Place

CHECKS_FILE = ".deployd.yaml"
"""At the repository's root. The hosted platforms do not read it, so that their files stay as they are."""
OnBadRelease = Literal["report", "revert"]
"""`report`: it is told and stays live. `revert`: the version before comes back by itself."""
EnvironmentKind = Literal["production", "staging", "development"]


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """A request to the environment's own routes, or a command in an application's container, and what must come back.
    """

    name: str
    path: str = ""
    """Of a request; empty: it is a command."""
    method: str = "GET"
    host: str = ""
    """One of the environment's own, as it is or as the routes write it (`www.{default}`); empty: of its first URL."""
    headers: Mapping[str, str] = field(default_factory=nothing)
    """That are sent."""
    body: str = ""
    command: str = ""
    app: str = ""
    """Where the command runs; empty: the only application, or the first one."""
    status: tuple[int, ...] = ()
    """Allowed ones; none named: 200 to 399 of a request, 0 of a command."""
    contains: str = ""
    """Stands in the body, or in the command's output."""
    matches: str = ""
    """A regular expression that is found in it."""
    answer_headers: Mapping[str, str] = field(default_factory=nothing)
    """{name: what its value contains}"""
    timeout_seconds: int = 10
    before_switch: bool = False
    """It is also asked of the new version while visitors see the one before."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Checks:
    """What a repository says of it."""

    smoke: tuple[SmokeTest, ...] = ()
    watch_seconds: int | None = None
    on_bad_release: OnBadRelease | None = None
    types: tuple[EnvironmentKind, ...] = ()
    """Of the environments for which it counts; none named: all."""
