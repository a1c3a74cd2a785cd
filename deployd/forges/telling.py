"""What a forge is told of a deployment, and by which requests; `upkeep/reports` sends them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["pending", "in_progress", "success", "failed", "cancelled", "superseded"]
"""Of an activity."""
Ids = Mapping[str, int]
"""{what the forge has made: its number there}"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a deployment is."""

    repository: str
    """`owner/name`, at GitLab with all its groups."""
    commit: str
    branch: str
    environment: str
    """As the forge shows it; one for each branch, as a shared one would make the others inactive."""
    is_production: bool
    state: State
    said: str
    """One line for people."""
    page: str = ""
    """Address of the activity's page; empty: nobody said how people reach it."""
    address: str = ""
    """Of the environment, as visitors reach it; empty: it is not known (yet)."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request to a forge's API."""

    method: Literal["POST", "PUT"]
    path: str
    """Below the API's address."""
    body: Mapping[str, Any]
    keeps: str = ""
    """Under this name the `id` of the answer is kept for later calls."""
    is_done: Callable[[int, str], bool] = lambda status, text: False
    """(status, body of the answer): whether a refusal says that it is so already."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One request of several by which an outcome is told."""

    about: Literal["status", "deployment"]
    call: Callable[[Outcome, Ids], ApiCall | None]
    """(outcome, what was made by the calls before): None when there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Api:
    """How a forge is told."""

    address: Callable[[str], str]
    """Of its API, by the host of the repository."""
    headers: Callable[[str], Mapping[str, str]]
    """By the token."""
    tellings: tuple[Telling, ...]
    """In this order, since later ones need the numbers that earlier ones got."""


def shortened(text: str, most: int) -> str:
    """On one line, with an ellipsis where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
