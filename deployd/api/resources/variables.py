"""Variables of projects and of environments."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from deployd.access.actions import Action, refuse_unless_may
from deployd.api.answers import many, one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.route import ENVIRONMENT, PROJECT, ApiRoute, Resource
from deployd.commands.variables import At, Said, VariableChangeShape
from deployd.errors import Unusable
from deployd.queries.variables import KeptVariableShape

variables = Resource()

OF_PROJECT, OF_ENVIRONMENT = f"{PROJECT}/variables", f"{ENVIRONMENT}/variables"
ONE, ONE_OF_ENVIRONMENT = f"{OF_PROJECT}/{{variable}}", f"{OF_ENVIRONMENT}/{{variable}}"
MOST_APPLICATIONS, LONGEST_NAME, LONGEST_VALUE = 100, 200, 200_000


class VariableBody(Body):
    """What is said of a variable. What is left out stays as it is; of a new one it is as usual."""

    value: Annotated[str, Field(max_length=LONGEST_VALUE)] | None = None
    """A text; with `is_json` the text of a JSON value."""
    is_json: bool | None = None
    is_sensitive: bool | None = None
    visible_build: bool | None = None
    visible_runtime: bool | None = None
    is_inheritable: bool | None = None
    is_enabled: bool | None = None
    applications: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_NAME)]], Field(max_length=MOST_APPLICATIONS),
    ] | None = None

    @property
    def said(self) -> Said:
        return Said(
            value=self.value, is_json=self.is_json, sensitive=self.is_sensitive, visible_build=self.visible_build,
            visible_runtime=self.visible_runtime, inheritable=self.is_inheritable, enabled=self.is_enabled,
            applications=None if self.applications is None else tuple(self.applications),
        )


class PlanVariableBody(VariableBody):
    """A change that is only thought about."""

    delete: bool = False
    """It would be deleted; nothing else counts then."""


@variables.row(ApiRoute("GET", OF_PROJECT, Action.READ_VARIABLES, "variables of a project", KeptVariableShape,
                        many=True))
async def list_of_project(asked: Asked) -> web.Response:
    return many(await asked.queries.variables.of_project(asked.project()))


@variables.row(ApiRoute("GET", OF_ENVIRONMENT, Action.READ_VARIABLES,
                        "all variables that an environment gets, of each name first the one that wins",
                        KeptVariableShape, many=True))
async def list_of_environment(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    return many(await asked.queries.variables.of_environment(project, environment))


@variables.row(ApiRoute("GET", ONE, Action.READ_VARIABLES, "a variable of a project", KeptVariableShape))
@variables.row(ApiRoute("GET", ONE_OF_ENVIRONMENT, Action.READ_VARIABLES, "a variable that an environment gets",
                        KeptVariableShape))
async def get(asked: Asked) -> web.Response:
    at = _at(asked)
    return one(await asked.queries.variables.one(at.project, at.environment, at.name))


@variables.row(ApiRoute("PUT", ONE, Action.SET_SHARED_VARIABLES, "set a variable of a project, or change it",
                        VariableChangeShape, body=VariableBody, query=("new",), takes_secret=True))
@variables.row(ApiRoute("PUT", ONE_OF_ENVIRONMENT, Action.SET_VARIABLES,
                        "set a variable of an environment, or change it; what that needs is deployed",
                        VariableChangeShape, body=VariableBody, query=("new",), takes_secret=True))
async def put(asked: Asked) -> web.Response:
    at = await _changed(asked)
    body = await read_body(asked.request, VariableBody)
    return one(await asked.commands.variables.put(at, body.said, asked.who, is_new=_is_new(asked)))


@variables.row(ApiRoute("DELETE", ONE, Action.SET_SHARED_VARIABLES, "delete a variable of a project",
                        VariableChangeShape))
@variables.row(ApiRoute("DELETE", ONE_OF_ENVIRONMENT, Action.SET_VARIABLES,
                        "delete a variable of an environment; what that needs is deployed", VariableChangeShape))
async def delete(asked: Asked) -> web.Response:
    return one(await asked.commands.variables.delete(await _changed(asked), asked.who))


@variables.row(ApiRoute("POST", f"{ONE}/plan", Action.PLAN_VARIABLES,
                        "what a change of a project's variable would build and start anew", VariableChangeShape,
                        body=PlanVariableBody, query=("new",)))
@variables.row(ApiRoute("POST", f"{ONE_OF_ENVIRONMENT}/plan", Action.PLAN_VARIABLES,
                        "what a change of an environment's variable would build and start anew", VariableChangeShape,
                        body=PlanVariableBody, query=("new",)))
async def plan(asked: Asked) -> web.Response:
    # Who may not change it may not ask either: "nothing would change" tells that a guess was right.
    at = await _changed(asked)
    body = await read_body(asked.request, PlanVariableBody)
    commands = asked.commands.variables
    if body.delete:
        return one(await commands.delete(at, asked.who, plan=True))
    return one(await commands.put(at, body.said, asked.who, plan=True, is_new=_is_new(asked)))


def _at(asked: Asked) -> At:
    names = asked.request.match_info
    return At(asked.project(), names.get("environment"), names["variable"])


async def _changed(asked: Asked) -> At:
    """
    Raises:
        Forbidden: The caller may not change it.
    """
    at = _at(asked)
    refuse_unless_may(asked.caller, await asked.commands.variables.least(at.project, at.environment), at.project)
    return at


def _is_new(asked: Asked) -> bool | None:
    """
    Raises:
        Unusable: It is neither said nor denied.
    """
    text = asked.query.get("new")
    if text not in (None, "0", "1"):
        raise Unusable(f"new cannot be {text[:20]!r}", hint="1: there must be none yet; 0: there must be one")
    return None if text is None else text == "1"
