"""Who may do what over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr, field_validator

from deployd.settings import valid
from deployd.settings.frozen import Frozen
from deployd.settings.valid import PROJECT_ID


class Token(Frozen):
    """Who may do what over HTTP; the password of git."""

    name: str
    role: Literal["viewer", "contributor", "approver", "admin"] = "contributor"
    secret: SecretStr
    projects: tuple[str, ...] = ("*",)

    @field_validator("name")
    @classmethod
    def _name_can_be_shown(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it is empty; activities say by this name who began them")
        return valid.line(value)

    @field_validator("secret")
    @classmethod
    def _secret_can_be_sent(cls, value: SecretStr) -> SecretStr:
        valid.secret(value.get_secret_value())
        return value

    @field_validator("projects")
    @classmethod
    def _projects_are_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for project in value:
            if project != "*" and not PROJECT_ID.fullmatch(project):
                raise ValueError(f"{project!r} is neither a project's id nor *, which is every project")
        return value
