"""Variables are set, changed and deleted; an activity is made of it where one is needed, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from deployd.access.actions import Action
from deployd.access.errors import NotFound
from deployd.commands.variables import AlreadyThere, At, Said, VariableOfSettings
from deployd.errors import Unusable
from deployd.ids import EnvironmentName
from deployd.queries.variable_effects import NEVER, NEXT, NOW, EffectShape
from deployd.settings import ProjectSettings
from deployd.state import activities, rests, variables
from deployd.state.variables import OF_PROJECT, VariableRow
from tests.support.commands_world import MAIN, SHOP, SHOP_MAIN, World, version

ON_MAIN, ON_SHOP = At("shop", "main", "env:colour"), At("shop", None, "env:colour")
DUE = EffectShape(environment=MAIN, branch="main", when=NOW, restarted=("app",))


async def kept(world: World, where: EnvironmentName = MAIN) -> dict[str, VariableRow]:
    rows = await world.store.read(
        lambda db: variables.all_at(db, world.sealer, SHOP, variables.revision_of(db, SHOP), where),
    )
    return {row.variable.name: row for row in rows}


async def asked_for(world: World) -> list[activities.Activity]:
    found: list[activities.Activity] = await world.store.read(lambda db: activities.latest(db, states=["pending"]))
    return found


async def test_a_variable_is_kept_in_capitals_and_says_who_set_it(world: World) -> None:
    await world.went_live(version("a"))
    made = await world.variables.put(ON_MAIN, Said(value="blue"), "ada")
    assert (made.change, made.activity, made.planned) == ("created", None, False)
    assert made.variable is not None
    assert (made.variable.name, made.variable.value, made.variable.who) == ("env:COLOUR", "blue", "ada")
    assert (await kept(world))["env:COLOUR"].variable.value == "blue"


async def test_what_has_to_be_deployed_now_is_deployed_by_an_activity_that_says_why(world: World) -> None:
    await world.went_live(version("a"))
    world.effects = (DUE,)
    made = await world.variables.put(ON_MAIN, Said(value="blue"), "ada")
    assert made.activity is not None
    assert (made.activity.kind, made.activity.who, made.activity.state) == ("variable", "ada", "pending")
    assert made.activity.said == "the variable env:COLOUR of main was created"
    assert world.lanes.woken == 1


async def test_of_several_changes_the_newest_deployment_does_it_for_all(world: World) -> None:
    await world.went_live(version("a"))
    world.effects = (DUE,)
    for value in ("blue", "green"):
        await world.variables.put(ON_MAIN, Said(value=value), "ada")
    assert len(await asked_for(world)) == 1


@pytest.mark.parametrize("when", [NEXT, NEVER])
async def test_what_nobody_sees_now_is_not_deployed(world: World, when: str) -> None:
    await world.went_live(version("a"))
    world.effects = (EffectShape(environment=MAIN, branch="main", when=when),)
    assert (await world.variables.put(ON_MAIN, Said(value="blue"), "ada")).activity is None
    assert await asked_for(world) == []


async def test_what_is_due_in_another_environment_deploys_nothing_here(world: World) -> None:
    await world.went_live(version("a"))
    world.effects = (EffectShape(environment="dev", branch="dev", when=NOW, restarted=("app",)),)
    assert (await world.variables.put(ON_MAIN, Said(value="blue"), "ada")).activity is None


async def test_while_something_is_under_way_it_is_deployed_after_it_whatever_is_live(world: World) -> None:
    await world.went_live(version("a"))
    await world.environments.redeploy("shop", "main", "ada")
    world.effects = (EffectShape(environment=MAIN, branch="main", when=NEVER),)
    made = await world.variables.put(ON_MAIN, Said(value="blue"), "ada")
    assert made.activity is not None


@pytest.mark.parametrize("rest", ["paused", "inactive"])
async def test_what_is_at_rest_is_not_deployed(world: World, rest: Any) -> None:
    await world.went_live(version("a"))
    await world.store.write(lambda db: rests.put(db, SHOP_MAIN, rest, world.now))
    world.effects = (DUE,)
    assert (await world.variables.put(ON_MAIN, Said(value="blue"), "ada")).activity is None


async def test_the_same_once_more_does_nothing(world: World) -> None:
    await world.went_live(version("a"))
    world.effects = (DUE,)
    await world.variables.put(ON_MAIN, Said(value="blue"), "ada")
    looked = len(world.looked)
    made = await world.variables.put(ON_MAIN, Said(value="blue", visible_runtime=True), "bea")
    assert (made.change, made.effects, made.activity) == ("none", (), None)
    assert len(world.looked) == looked
    assert (await kept(world))["env:COLOUR"].who == "ada"


async def test_a_plan_does_nothing(world: World) -> None:
    await world.went_live(version("a"))
    world.effects = (DUE,)
    made = await world.variables.put(ON_MAIN, Said(value="blue"), "ada", plan=True)
    assert (made.change, made.planned, made.variable, made.effects) == ("created", True, None, (DUE,))
    assert await kept(world) == {}
    assert await asked_for(world) == []
    (what_if,) = world.looked
    assert what_if.after is not None
    assert (what_if.environment, what_if.name, what_if.after.value) == (MAIN, "env:COLOUR", "blue")


async def test_what_is_not_said_stays_as_it_is(world: World) -> None:
    await world.went_live(version("a"))
    await world.variables.put(ON_MAIN, Said(value="blue", sensitive=True, applications=("app",)), "ada")
    made = await world.variables.put(ON_MAIN, Said(visible_build=False), "bea", is_new=False)
    assert made.change == "updated"
    found = (await kept(world))["env:COLOUR"].variable
    assert (found.value, found.sensitive, found.applications, found.visible_build) == ("blue", True, ("app",), False)


async def test_a_sensitive_value_is_in_no_answer_and_is_masked_from_then_on(world: World) -> None:
    await world.went_live(version("a"))
    made = await world.variables.put(ON_MAIN, Said(value="very-secret", sensitive=True), "ada")
    assert "very-secret" not in repr(made)
    assert world.masker.mask("echo very-secret") == "echo ***"
    with pytest.raises(Unusable, match="never shown"):
        await world.variables.put(ON_MAIN, Said(sensitive=False), "ada")
    assert "very-secret" not in repr(await world.variables.put(ON_MAIN, Said(sensitive=False, value="open"), "ada"))


async def test_what_is_too_short_to_be_masked_is_told(world: World) -> None:
    await world.went_live(version("a"))
    made = await world.variables.put(ON_MAIN, Said(value="abc", sensitive=True), "ada")
    assert "cannot be masked" in made.warnings[0]


async def test_one_that_must_be_new_and_one_that_must_be_there(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(NotFound):
        await world.variables.put(ON_MAIN, Said(value="x"), "ada", is_new=False)
    await world.variables.put(ON_MAIN, Said(value="x"), "ada", is_new=True)
    with pytest.raises(AlreadyThere):
        await world.variables.put(ON_MAIN, Said(value="y"), "ada", is_new=True)
    assert (await kept(world))["env:COLOUR"].variable.value == "x"


async def test_a_deleted_one_is_gone_and_cannot_be_deleted_again(world: World) -> None:
    await world.went_live(version("a"))
    world.effects = (DUE,)
    await world.variables.put(ON_MAIN, Said(value="x"), "ada")
    made = await world.variables.delete(ON_MAIN, "ada")
    assert (made.change, made.variable) == ("deleted", None)
    assert made.activity is not None
    assert await kept(world) == {}
    with pytest.raises(NotFound):
        await world.variables.delete(ON_MAIN, "ada")


async def test_the_operators_settings_win_so_nobody_sets_what_they_say(world: World) -> None:
    world.settings.projects[SHOP] = ProjectSettings.model_validate({
        "id": "shop", "variables": {"env:Colour": "red"}, "environments": {"main": {"variables": {"env:SIZE": "1"}}},
    })
    await world.went_live(version("a"))
    for at in (ON_SHOP, At("shop", "main", "env:size")):
        with pytest.raises(VariableOfSettings):
            await world.variables.put(at, Said(value="x"), "ada")
    assert (await world.variables.put(ON_MAIN, Said(value="x"), "ada")).change == "created"


async def test_what_cannot_be_kept_is_refused(world: World) -> None:
    await world.went_live(version("a"))
    for at, said in (
        (At("shop", "main", "env:PATH"), Said(value="x")), (ON_MAIN, Said(sensitive=True)),
        (ON_SHOP, Said(value="x", inheritable=False)), (ON_MAIN, Said(value="{", is_json=True)),
    ):
        with pytest.raises(Unusable):
            await world.variables.put(at, said, "ada")
    for at in (At("shop", "nothing", "env:X"), At("nothing", None, "env:X")):
        with pytest.raises(NotFound):
            await world.variables.put(at, Said(value="x"), "ada")


async def test_the_project_and_protected_environments_are_for_admins(world: World) -> None:
    await world.went_live(version("a"))
    assert await world.variables.least("shop", "main") is Action.SET_VARIABLES
    assert await world.variables.least("shop", None) is Action.SET_SHARED_VARIABLES
    world.protect()
    assert await world.variables.least("shop", "main") is Action.SET_SHARED_VARIABLES
    assert await world.variables.least("shop", MAIN) is Action.SET_SHARED_VARIABLES


async def test_a_secret_of_a_protected_environment_gets_into_no_build(world: World) -> None:
    world.settings.projects[SHOP] = ProjectSettings.model_validate({
        "id": "shop", "production_branch": "production",
        "environments": {"main": {"protected": {"source": "develop", "approvals": 1}}},
    })
    await world.went_live(version("a"))
    with pytest.raises(Unusable, match="builds run before"):
        await world.variables.put(ON_MAIN, Said(value="secret-1", sensitive=True, visible_build=True), "ada")


async def test_a_change_that_came_between_is_not_lost(world: World) -> None:
    await world.went_live(version("a"))
    first = True

    async def meanwhile(*_: Any) -> tuple[EffectShape, ...]:
        nonlocal first
        if first:
            first = False
            await world.variables.put(ON_MAIN, Said(value="theirs", enabled=False), "bea")
        return ()

    world.variables._effects = Effects(meanwhile)
    await world.variables.put(ON_MAIN, Said(value="mine"), "ada")
    found = (await kept(world))["env:COLOUR"]
    assert (found.variable.value, found.variable.enabled, found.who) == ("mine", False, "ada")


async def test_what_nothing_live_needs_any_more_is_removed(world: World) -> None:
    await world.went_live(version("a"))
    for value in ("one", "two", "three"):
        await world.variables.put(At("shop", None, "env:X"), Said(value=value), "ada")
    assert await world.store.read(lambda db: db.execute("SELECT count(*) FROM variables").fetchone()[0]) == 1
    assert (await kept(world, OF_PROJECT))["env:X"].variable.value == "three"


class Effects:
    def __init__(self, of: Any) -> None:
        self.of = of
