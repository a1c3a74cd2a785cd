"""Operations are run by who may, of what is live, and by an activity that knows which one it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from deployd.access.errors import Forbidden, NotFound
from deployd.access.roles import Role
from deployd.commands.crons import AtRest
from deployd.commands.operations import OperationCommands, SeveralHaveIt
from deployd.deployment.operation import OperationNotAllowed, refuse_role
from deployd.project.model import Operation
from deployd.queries.operations import OperationShape
from deployd.state import activities, rests
from deployd.state.activities import Trigger
from tests.support.commands_world import SHOP_MAIN, World, version


def operation(app: str, name: str, role: str = "contributor") -> OperationShape:
    return OperationShape(app=app, name=name, role=role, start="x", stop="", timeout_seconds=5)


class Live:
    async def all(self, project: str, environment: str) -> list[OperationShape]:
        return [operation("app", "clear"), operation("app", "both"), operation("api", "both"),
                operation("app", "look", "viewer"), operation("app", "wipe", "admin")]


@pytest.fixture
def commands(world: World) -> OperationCommands:
    requests = world.environments._requests
    return OperationCommands(cast(Any, world.store), world.known, cast(Any, Live()), requests)


async def run(
    commands: OperationCommands, name: str, role: Role | None = Role.CONTRIBUTOR, app: str | None = None,
) -> Any:
    return await commands.run("shop", "main", name, app, "ada", role)


async def test_it_waits_in_the_lane_and_knows_which_it_is(world: World, commands: OperationCommands) -> None:
    await world.went_live(version("a"))
    made = await run(commands, "clear")
    assert (made.kind, made.state, made.said, made.who) == ("operation", "pending", "operation clear of app", "ada")
    (row,) = await world.store.read(lambda db: activities.latest(db, environment=SHOP_MAIN, states=("pending",)))
    assert (row.trigger.app, row.trigger.operation, row.trigger.role) == ("app", "clear", "contributor")


def test_what_becomes_an_operation_of_a_greater_role_while_it_waits_is_not_run() -> None:
    asked = Trigger("ada", "api", app="app", operation="look", role="viewer")
    refuse_role(asked, Operation("look", "x", role="viewer"))
    for role in ("contributor", "admin"):
        with pytest.raises(OperationNotAllowed):
            refuse_role(asked, Operation("look", "x", role=role))
    refuse_role(replace(asked, role="approver"), Operation("look", "x", role="contributor"))
    refuse_role(replace(asked, role=""), Operation("look", "x", role="admin"))   # asked for before roles were noted


@pytest.mark.parametrize(("name", "least"), [
    ("look", Role.VIEWER), ("clear", Role.CONTRIBUTOR), ("wipe", Role.ADMIN),
])
async def test_the_role_of_the_file_counts(
    world: World, commands: OperationCommands, name: str, least: Role,
) -> None:
    await world.went_live(version("a"))
    for role in (None, *Role):
        if role is not None and role.includes(least):
            assert (await run(commands, name, role)).kind == "operation"
        else:
            with pytest.raises(Forbidden):
                await run(commands, name, role)


async def test_which_application_is_said_where_several_have_it(world: World, commands: OperationCommands) -> None:
    await world.went_live(version("a"))
    with pytest.raises(SeveralHaveIt):
        await run(commands, "both")
    assert (await run(commands, "both", app="api")).said == "operation both of api"
    for name, app in (("nothing", None), ("clear", "api")):
        with pytest.raises(NotFound):
            await run(commands, name, app=app)


async def test_nothing_at_rest_runs_one(world: World, commands: OperationCommands) -> None:
    await world.went_live(version("a"))
    await world.store.write(lambda db: rests.put(db, SHOP_MAIN, "paused", world.now))
    with pytest.raises(AtRest):
        await run(commands, "clear")
