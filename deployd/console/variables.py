"""Variables of an environment and of its project: what it gets, and forms that set, plan and delete them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployd.access.actions import Action, may
from deployd.commands.variables import At, Said, VariableChangeShape
from deployd.console.asked import Asked, Told
from deployd.console.confirm import address_of
from deployd.errors import Unusable
from deployd.queries.environments import EnvironmentShape

ANSWERS: Mapping[str, bool | None] = {"usual": None, "yes": True, "no": False}
OF_PROJECT, OF_ENVIRONMENT = "project", "environment"


async def variables(asked: Asked) -> str:
    asked.refuse_unless_may(Action.READ_VARIABLES)
    return await _page(asked, await asked.environment())


async def set_variable(asked: Asked, fields: Mapping[str, str]) -> Told:
    """Set it, or only say what that would do: which of the two is the button's word."""
    found, at = await _changed(asked, fields)
    is_plan = fields.get("do") == "plan"
    made = await asked.commands.variables.put(at, _said(fields), asked.caller.name, plan=is_plan)
    return await _told(asked, found, at, made)


async def delete_variable(asked: Asked, fields: Mapping[str, str]) -> Told:
    found, at = await _changed(asked, fields)
    is_plan = fields.get("do") == "plan"
    return await _told(asked, found, at, await asked.commands.variables.delete(at, asked.caller.name, plan=is_plan))


async def _changed(asked: Asked, fields: Mapping[str, str]) -> tuple[EnvironmentShape, At]:
    """(the environment of the address, what is changed)

    Raises:
        Forbidden: The caller may not.
        Unusable: The form does not say what.
    """
    found = await asked.environment()
    level, name = fields.get("level", ""), fields.get("name", "").strip()
    if level not in (OF_PROJECT, OF_ENVIRONMENT) or not name:
        raise Unusable("the form does not say which variable", hint="load the page again, and press again")
    environment = found.name if level == OF_ENVIRONMENT else None
    asked.refuse_unless_may(await asked.commands.variables.least(found.project, environment))
    asked.noted.append(f"variable {name[:200]}" if environment else f"variable {name[:200]} of the project")
    return found, At(found.project, environment, name)


def _said(fields: Mapping[str, str]) -> Said:
    """What a form says; boxes that are not ticked are not in it, so each has a choice."""
    def answer(name: str) -> bool | None:
        text = fields.get(name, "usual")
        if text not in ANSWERS:
            raise Unusable(f"{name} cannot be {text[:20]!r}", hint=f"one of {', '.join(ANSWERS)}")
        return ANSWERS[text]

    keeps = fields.get("keeps") == "1"
    applications = tuple(fields.get("applications", "").replace(",", " ").split())
    return Said(
        value=None if keeps else fields.get("value", "").replace("\r\n", "\n"), is_json=answer("is_json"),
        sensitive=answer("sensitive"), visible_build=answer("visible_build"),
        visible_runtime=answer("visible_runtime"), inheritable=answer("inheritable"), enabled=answer("enabled"),
        applications=applications or None,
    )


async def _told(asked: Asked, found: EnvironmentShape, at: At, made: VariableChangeShape) -> Told:
    if made.activity is not None:
        asked.noted.append(f"activity {made.activity.id}")
    return Told(await _page(asked, found, name=at.name, made=made))


async def _page(asked: Asked, found: EnvironmentShape, **more: Any) -> str:
    queries, project = asked.queries.variables, found.project
    return await asked.page(
        "variables.html", environment=found, address=address_of(found),
        items=await queries.of_environment(project, found.name),
        sets=may(asked.caller, await asked.commands.variables.least(project, found.name), project),
        sets_project=may(asked.caller, Action.SET_SHARED_VARIABLES, project), **{"name": "", "made": None, **more},
    )
