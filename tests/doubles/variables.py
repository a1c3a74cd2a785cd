"""Variables without a database, as the API, the command line and the console have them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from deployd.access.actions import Action
from deployd.access.errors import NotFound
from deployd.commands.variables import At, Said, VariableChangeShape
from deployd.queries.variable_effects import EffectShape
from deployd.queries.variables import KeptVariableShape

AT = "2026-05-04T10:00:00+00:00"


def variable(name: str = "env:COLOUR", **more: Any) -> KeptVariableShape:
    values: dict[str, Any] = {
        "level": "environment", "origin": "kept", "of": "main", "value": "blue", "is_json": False,
        "is_sensitive": False, "visible_build": None, "visible_runtime": True, "is_inheritable": None,
        "is_enabled": True, "applications": (), "wins": True, "who": "ada", "created_at": AT, "updated_at": AT, **more,
    }
    return KeptVariableShape(name=name, **values)


EFFECTS = (
    EffectShape(environment="main-bvxea6i", branch="main", when="now", built=("app",), restarted=("app", "api"),
                lines=("app: build (a variable that builds see changed)",)),
    EffectShape(environment="dev-abcdefg", branch="dev", when="next deployment", restarted=("app",)),
    EffectShape(environment="old-abcdefg", branch="old", when="never", why="no application there would see another"),
)


@dataclass
class FakeVariables:
    known: list[KeptVariableShape] = field(default_factory=lambda: [
        variable(), variable("env:TOKEN", value=None, is_sensitive=True),
        variable("env:COLOUR", level="project", of="", value="red", wins=False),
    ])
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    activity: Any = None
    """Of a change."""
    protected: tuple[str, ...] = ("production",)

    async def of_project(self, project: str) -> list[KeptVariableShape]:
        return [item for item in self.known if item.level == "project"]

    async def of_environment(self, project: str, environment: str) -> list[KeptVariableShape]:
        return self.known

    async def one(self, project: str, environment: str | None, name: str) -> KeptVariableShape:
        found = self.known if environment else await self.of_project(project)
        for item in found:
            if item.name == name:
                return item
        raise NotFound(f"no variable {name}")

    async def least(self, project: str, environment: str | None) -> Action:
        is_shared = environment is None or environment in self.protected
        return Action.SET_SHARED_VARIABLES if is_shared else Action.SET_VARIABLES

    async def put(
        self, at: At, said: Said, who: str, *, plan: bool = False, is_new: bool | None = None,
    ) -> VariableChangeShape:
        self.asked.append(("plan" if plan else "put", at, said, who, is_new))
        made = variable(at.name, value=None if said.sensitive else said.value, is_sensitive=bool(said.sensitive))
        return self._made("created", None if plan else made, plan=plan)

    async def delete(self, at: At, who: str, *, plan: bool = False) -> VariableChangeShape:
        self.asked.append(("plan to delete" if plan else "delete", at, who))
        return self._made("deleted", None, plan=plan)

    def _made(self, change: str, made: KeptVariableShape | None, *, plan: bool) -> VariableChangeShape:
        shape = VariableChangeShape(change=change, planned=plan, variable=made, effects=EFFECTS, activity=None)
        return shape if plan else replace(shape, activity=self.activity)
