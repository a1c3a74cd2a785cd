"""Who asks. Pure."""

from dataclasses import dataclass

EVERY = "*"
"""Stands for every project in a token's list."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a token, or whoever may open the daemon's own socket."""

    name: str
    role: str
    projects: tuple[str, ...] = (EVERY,)

    def may_see(self, project: str) -> bool:
        return EVERY in self.projects or project in self.projects


NOBODY = Caller("", "", ())
