"""Source operations are run where what they commit can be pushed, and nowhere else."""

from __future__ import annotations

from typing import Any, cast

import pytest

from deployd.access.errors import NotFound
from deployd.commands.source_operations import CannotBePushed, SourceOperationCommands
from deployd.deployment.kinds import PUSH
from deployd.deployment.source_operation import Pushed, deploy_source
from deployd.ids import ActivityId, CommitId
from deployd.queries.source_operations import SourceOperationShape, why_refused
from deployd.settings import ProjectSettings
from deployd.state import activities, rests
from tests.support.commands_world import SHOP_MAIN, World, version


class Branch:
    refused = ""

    async def all(self, project: str, environment: str) -> list[SourceOperationShape]:
        return [SourceOperationShape(name="update", commands={"app": "x"}, pushes_to="deployd", refused=self.refused)]


@pytest.fixture
def branch() -> Branch:
    return Branch()


@pytest.fixture
def commands(world: World, branch: Branch) -> SourceOperationCommands:
    requests = world.environments._requests
    return SourceOperationCommands(cast(Any, world.store), world.known, cast(Any, branch), requests)


async def test_it_waits_in_the_lane(world: World, commands: SourceOperationCommands) -> None:
    await world.went_live(version("a"))
    made = await commands.run("shop", "main", "update", "ada")
    assert (made.kind, made.state, made.said) == ("source-operation", "pending", "source operation update")
    with pytest.raises(NotFound):
        await commands.run("shop", "main", "nothing", "ada")


async def test_what_could_not_be_pushed_is_not_begun(
    world: World, branch: Branch, commands: SourceOperationCommands,
) -> None:
    await world.went_live(version("a"))
    branch.refused = "main is protected"
    with pytest.raises(CannotBePushed, match="protected"):
        await commands.run("shop", "main", "update", "ada")
    assert await world.store.read(lambda db: activities.latest(db, states=("pending",))) == []


@pytest.mark.parametrize(("settings", "words"), [
    ({}, ""),
    ({"environments": {"main": {"protected": {"source": "dev"}}}}, "is protected: it takes commits of dev"),
    ({"remote": {"url": "https://forge.test/x.git"}}, "has no token"),
    ({"remote": {"url": "https://forge.test/x.git", "token": "t" * 20}}, ""),
    ({"remote": {"url": "ssh://git@forge.test/x.git"}}, ""),
])
def test_where_it_cannot_be_pushed_it_says_why(settings: dict[str, Any], words: str) -> None:
    said = why_refused(ProjectSettings.model_validate({"id": "shop", **settings}), "main")
    assert words in said
    assert bool(said) == bool(words)


class Journal:
    def __init__(self, pushed: Pushed | None) -> None:
        self.pushed = pushed

    def result(self, step: str, kind: object) -> Pushed:
        if self.pushed is None:
            raise LookupError
        return self.pushed


@pytest.mark.parametrize(("pushed", "rest", "kinds"), [
    (Pushed(CommitId("b" * 40)), "", ["push"]), (Pushed(None), "", []), (None, "", []),
    (Pushed(CommitId("b" * 40)), "inactive", []),
])
async def test_what_it_committed_is_deployed_when_it_ends(
    world: World, commands: SourceOperationCommands, pushed: Pushed | None, rest: Any, kinds: list[str],
) -> None:
    await world.went_live(version("a"))
    await world.store.write(lambda db: rests.put(db, SHOP_MAIN, rest, world.now))
    made = await commands.run("shop", "main", "update", "ada")
    row = await world.store.read(lambda db: activities.find(db, ActivityId(made.id)))
    progress: Any = type("Progress", (), {"activity": row, "journal": Journal(pushed)})()
    await world.store.write(lambda db: deploy_source(PUSH, db, progress, world.now))
    waiting = await world.store.read(lambda db: activities.latest(db, environment=SHOP_MAIN, states=("pending",)))
    assert [item.kind for item in waiting if item.id != made.id] == kinds
    assert all(item.commit == "b" * 40 and item.trigger.who == "ada" for item in waiting if item.id != made.id)
