"""Who asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.access.roles import EVERY, Role, Roles, role_in

__all__ = ["EVERY", "NOBODY", "OPERATOR", "Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person, a token of the settings, or whoever may open the daemon's own socket."""

    name: str
    """Of the person, or of the settings' token; activities and the audit log say by it who did something."""
    roles: Roles = field(default_factory=dict)
    by: str = ""
    """The label of the person's token or key; empty for a token of the settings."""
    person: str = ""
    """Id of the person; empty: nobody in particular."""
    most: Role = Role.ADMIN
    """What their token was made for, whatever they are: what they become tomorrow gives it no more."""
    only: tuple[str, ...] = (EVERY,)
    """The projects that it was made for."""

    @property
    def projects(self) -> tuple[str, ...]:
        """Which it has a role in, `EVERY` when that is all."""
        return (EVERY,) if self.is_everywhere else tuple(self.roles)

    @property
    def is_everywhere(self) -> bool:
        """Sees every project, and what is of no project."""
        return EVERY in self.roles

    @property
    def title(self) -> str:
        """For error messages."""
        return self.name if self.person or not self.name else f"the token {self.name}"

    def role_in(self, project: str) -> Role | None:
        """None: it may not know of the project."""
        return role_in(self.roles, project)

    def role_anywhere(self) -> Role | None:
        """The greatest of all, for what is of no project in particular."""
        return max(self.roles.values(), key=lambda role: role.rank, default=None)

    def role_on_host(self) -> Role | None:
        return self.roles.get(EVERY)

    def may_see(self, project: str) -> bool:
        return self.role_in(project) is not None

    def is_same_as(self, other: Caller) -> bool:
        """Whether both are one person or one token, whatever each of them may."""
        return (self.name, self.person) == (other.name, other.person)


def roles_of(role: str, projects: tuple[str, ...]) -> Mapping[str, Role]:
    """One role in some projects."""
    return {project: Role(role) for project in projects}


NOBODY = Caller("")
OPERATOR = Caller("operator", {EVERY: Role.ADMIN})
"""Whoever may open the daemon's own socket, which only root can."""
