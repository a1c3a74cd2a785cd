"""What somebody is in a project, or on the whole host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

EVERY = "*"
"""Stands for every project, those that are made tomorrow too."""


class Role(Enum):
    """From the least to the most: who has one may all that the roles before it may."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    APPROVER = "approver"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def includes(self, other: Role) -> bool:
        return self.rank >= other.rank


Roles = Mapping[str, Role]
"""{project, or `EVERY`: what somebody is there}"""


def role_in(roles: Roles, project: str) -> Role | None:
    """The greater one of that in the project and that in every project; None: the project is not seen."""
    found = [roles[name] for name in (EVERY, project) if name in roles]
    return max(found, key=lambda role: role.rank, default=None)


def capped(roles: Roles, most: Role, projects: tuple[str, ...] = (EVERY,)) -> Roles:
    """What is left of them for a token that does not have all that its owner has.

    Args:
        most: The token's own role.
        projects: What it is for.
    """
    wanted = roles if EVERY in projects else {name: role_in(roles, name) for name in projects}
    return {name: min(role, most, key=lambda one: one.rank) for name, role in wanted.items() if role is not None}
