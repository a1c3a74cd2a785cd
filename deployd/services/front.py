"""What deployd has to know of a kind of service that stands before applications: what it leads to is another thing with
each version, and nobody may be led to one that has gone.

So it is not a part of its container, which goes on. It is one text in a folder that the container sees: the text is
laid there and loaded with the switch (`release/services/fronts.py`), and tried before anything else is done
(`release/services/trials.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from deployd.project.model import Service

TEXT_FILE = "default.vcl"


@dataclass(frozen=True, slots=True)
class Backend:
    """One container that requests are led to."""

    container: str
    address: str
    """IPv4 in the network of the environment."""


Backends = Mapping[str, tuple[Backend, ...]]
"""{relationship: where it leads}; () while there is nothing yet."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a text is not taken."""

    what: str
    """In the words of the service's own program."""
    where: str
    """`.platform/config.vcl:12`"""
    lines: tuple[str, ...]
    """All that it said, with lines counted as in the project's file."""


class Front(Protocol):
    """A family whose services stand before applications."""

    @property
    def folder(self) -> str:
        """Where the container sees the folder with TEXT_FILE."""
        ...

    def text(self, service: Service, backends: Backends) -> str:
        """What it is to do, whole; the same for the same."""
        ...

    def load(self, text: str) -> tuple[str, ...]:
        """Program that is given a text on its standard input and makes a running service know it, unused. May run
        again."""
        ...

    def turn(self, text: str) -> tuple[str, ...]:
        """Program that has a running service go on with the text that lies in its folder. May run again."""
        ...

    @property
    def trial(self) -> tuple[str, ...]:
        """Program that reads a text from its standard input and ends with 0 when it would be taken; no service runs."""
        ...

    def refusal(self, service: Service, text: str, said: str) -> Refused | None:
        """What `trial` or `turn` wrote of a text that they did not take. None: only where it runs that can be known."""
        ...
