"""Which commit a webhook's activity deploys: deliveries come late, twice and out of order."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.activity.journal import Journal
from deployd.deployment.delete import remove_environment
from deployd.deployment.mode import Mode, Target
from deployd.deployment.validate import CommitGone, fetch
from deployd.errors import Transient
from deployd.ids import CommitId

OLD, NEW = CommitId("a" * 40), CommitId("b" * 40)


@dataclass
class CodeDouble:
    tip_now: CommitId | None
    held: tuple[CommitId, ...] = ()
    fetched: int = 0

    async def fetch(self, _: Any) -> None:
        self.fetched += 1

    async def tip(self, _project: str, _branch: str) -> CommitId | None:
        return self.tip_now

    async def contains(self, _project: str, _branch: str, commit: CommitId) -> bool:
        return commit in self.held

    async def about(self, _project: str, commit: CommitId) -> Any:
        return SimpleNamespace(commit=commit, subject="A change", author="Ada")


@dataclass
class TellDouble:
    said: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.said.append(text)

    done = line


def deployment(pushed: CommitId | None, how: str = "github") -> Any:
    activity = SimpleNamespace(trigger=SimpleNamespace(how=how, said=""), commit=pushed, branch="main")
    mode = Mode(Target.COMMIT)
    return SimpleNamespace(
        project=SimpleNamespace(id="shop"), branch="main", activity=activity, mode=mode, is_protected=False,
        journal=Journal(()),
    )


async def fetched(code: CodeDouble, pushed: CommitId | None, how: str = "github") -> tuple[CommitId, list[str]]:
    tell = TellDouble()
    result = await fetch(deployment(pushed, how), cast(Any, SimpleNamespace(code=code)), cast(Any, tell))
    return result.commit, tell.said


async def test_the_tip_is_deployed() -> None:
    assert (await fetched(CodeDouble(NEW), NEW))[0] == NEW


async def test_a_late_delivery_deploys_the_tip_and_says_so() -> None:
    commit, said = await fetched(CodeDouble(NEW, held=(OLD,)), OLD)
    assert commit == NEW
    assert said[0] == "main has moved on from aaaaaaaa to bbbbbbbb: that is deployed"


async def test_a_forge_that_is_behind_is_waited_for() -> None:
    with pytest.raises(Transient) as caught:
        await fetched(CodeDouble(OLD), NEW)
    assert isinstance(caught.value.error, CommitGone)


async def test_a_branch_that_is_gone_is_told() -> None:
    with pytest.raises(CommitGone):
        await fetched(CodeDouble(None), NEW)


async def test_a_push_to_our_own_server_deploys_what_was_pushed_and_fetches_nothing() -> None:
    code = CodeDouble(NEW)
    assert (await fetched(code, OLD, how="git"))[0] == OLD
    assert code.fetched == 0


async def test_a_late_deletion_spares_a_branch_that_is_there_again() -> None:
    tell = TellDouble()
    host = SimpleNamespace(code=CodeDouble(NEW))   # whatever else it touched would be missing here
    await remove_environment(deployment(None), cast(Any, host), cast(Any, tell))
    assert tell.said == ["main is there again in the remote: its environment stays"]
