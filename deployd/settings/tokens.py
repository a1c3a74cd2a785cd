"""Who may do what over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from deployd.settings.frozen import Frozen


class Token(Frozen):
    """Who may do what over HTTP; the password of git."""

    name: str
    role: Literal["viewer", "contributor", "admin"] = "contributor"
    secret: SecretStr
    projects: tuple[str, ...] = ("*",)

    def may_see(self, project: str) -> bool:
        return "*" in self.projects or project in self.projects
