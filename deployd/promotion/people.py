"""Who asks, who approves and who wrote what: whether two of them are one person. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ADDRESS = re.compile(r"^(?P<name>.*?)\s*<(?P<mail>[^<>]*)>$")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks for something, or approves it."""

    name: str
    id: str = ""
    """Of a person in the state; empty for a token of the settings, the daemon's own socket and a forge's user."""
    also: tuple[str, ...] = ()
    """What else they are called: their e-mail."""

    def is_same(self, other: Person) -> bool:
        """By their numbers where both have one; else by any name that both have."""
        if self.id and other.id:
            return self.id == other.id
        return bool(self._names & other._names)

    def is_one_of(self, authors: Iterable[str]) -> bool:
        """Whether they wrote one of some commits: `Ada Lovelace <ada@example.com>`."""
        return any(self._names & _names_of(author) for author in authors)

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in (self.name, *self.also) if name)


SOMEBODY = Person("deployd")
"""Whoever pushed what the daemon found in a repository: it saw the branch where it was, and nobody who moved it there.
Anybody who approves may be they."""


def _names_of(author: str) -> frozenset[str]:
    found = ADDRESS.match(author)
    names = (found["name"], found["mail"]) if found else (author,)
    return frozenset(name.strip().casefold() for name in names if name.strip())
