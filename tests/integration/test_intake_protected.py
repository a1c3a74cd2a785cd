"""Pushes to protected branches with the real git: what is merged is taken, what is not is refused in the push."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.environment.naming import Source
from deployd.git.history import authors_between
from deployd.ids import CommitId, EnvironmentId, ProjectId
from deployd.intake.commit_checker import CommitChecker
from deployd.release.code import ProjectCode
from tests.support.intake_stand import Stand, open_stand, refs_of

SHOP = ProjectId("shop")
STAGING = Source(SHOP, "staging").environment


class Lives:
    """What is live, by environment."""

    def __init__(self) -> None:
        self.commits: dict[EnvironmentId, CommitId] = {}

    async def live(self, environment: EnvironmentId) -> Any:
        commit = self.commits.get(environment)
        return SimpleNamespace(commit=commit) if commit else None


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    environments = {"staging": {"protected": True}, "production": {"protected": {"source": "staging"}}}
    async with open_stand(tmp_path, {"shop": {"environments": environments}}) as stand:
        stand.logs.end()
        yield stand


@pytest.fixture
def lives(stand: Stand) -> Lives:
    made = Lives()
    nothing = cast(Any, None)
    code = ProjectCode(lambda name: stand.folder / "repos" / f"{name}.git", stand.folder / "hooks", nothing, nothing)
    clock = SimpleNamespace(now=lambda: datetime(2026, 5, 4, tzinfo=UTC))
    stand.checker.gate = CommitChecker(code, cast(Any, SimpleNamespace(facts=made, clock=clock)))
    return made


async def push(stand: Stand, *refs: str) -> tuple[bool, str]:
    """(whether git was content, what its user reads)"""
    pushed = await stand.developer("push", "--push-option=no-wait", stand.repository(), *refs, check=False)
    return pushed.status == 0, pushed.stderr.decode()


async def test_what_is_not_merged_is_refused_with_what_to_do_and_moves_no_branch(stand: Stand, lives: Lives) -> None:
    merged = await stand.commit({"a": "1"})
    assert (await push(stand, "main"))[0]
    work = await stand.commit({"a": "2"})
    taken, told = await push(stand, "HEAD:staging", "HEAD:feature")
    assert not taken
    assert f"staging takes only what is merged to main, and {work[:8]} is not" in told
    assert "hint: merge it to main, push that, and come again" in told
    assert await refs_of(stand.mirror()) == {"refs/heads/main": merged}
    assert (await push(stand, f"{merged}:refs/heads/staging", "HEAD:feature"))[0]


async def test_a_tag_or_a_branch_that_is_called_like_the_source_makes_nothing_merged(
    stand: Stand, lives: Lives,
) -> None:
    await stand.commit({"a": "1"})
    assert (await push(stand, "main"))[0]
    await stand.commit({"a": "2"})
    assert (await push(stand, "HEAD:refs/tags/main", "HEAD:refs/heads/heads/main", "HEAD:refs/tags/staging"))[0]
    for refs in (["HEAD:refs/heads/staging"], ["HEAD:refs/tags/main2", "+HEAD:refs/heads/staging"]):
        assert not (await push(stand, *refs))[0]
    assert "refs/heads/staging" not in await refs_of(stand.mirror())


async def test_one_push_that_brings_the_source_too_is_taken_and_one_that_ends_it_is_not(
    stand: Stand, lives: Lives,
) -> None:
    first = await stand.commit({"a": "1"})
    assert (await push(stand, "main", "main:staging"))[0]
    await stand.commit({"a": "2"})
    assert not (await push(stand, ":main", "HEAD:staging"))[0]
    back = await push(stand, f"+{first}:refs/heads/main", "HEAD:staging")
    assert not back[0], "the source is moved elsewhere by the same push"
    assert (await push(stand, "main", "HEAD:staging"))[0]


async def test_without_a_source_nothing_is_merged(stand: Stand, lives: Lives) -> None:
    await stand.commit({"a": "1"})
    taken, told = await push(stand, "HEAD:staging")
    assert not taken
    assert "staging takes only what is merged to main" in told


async def test_production_takes_what_is_live_on_staging_and_no_branch_counts(stand: Stand, lives: Lives) -> None:
    first = await stand.commit({"a": "1"})
    second = await stand.commit({"a": "2"})
    assert (await push(stand, "main", "main:staging"))[0]
    taken, told = await push(stand, "main:production")
    assert not taken
    assert f"production takes only what is live on staging, and {second[:8]} is not contained in it" in told
    assert f"deployd promote shop {second[:8]} staging" in told
    lives.commits[STAGING] = first
    assert not (await push(stand, "main:production"))[0]
    assert (await push(stand, f"{first}:refs/heads/production"))[0]
    lives.commits[STAGING] = second
    assert (await push(stand, "main:production"))[0]


async def test_a_protected_branch_is_not_deleted_and_made_again(stand: Stand, lives: Lives) -> None:
    await stand.commit({"a": "1"})
    assert (await push(stand, "main", "main:staging"))[0]
    taken, told = await push(stand, ":staging")
    assert not taken
    assert "staging is protected: deleting it would delete its environment with its data" in told
    assert "refs/heads/staging" in await refs_of(stand.mirror())


async def test_who_wrote_the_commits_is_known_with_those_who_wrote_along(stand: Stand, lives: Lives) -> None:
    first = await stand.commit({"a": "1"})
    along = "Co-authored-by: Grace <grace@shop.test>\nco-authored-by: Alan <alan@shop.test>"
    await stand.commit({"a": "2"}, f"Mend\n\n{along}")
    last = await stand.commit({"a": "3"}, "Not a trailer: Co-authored-by: Eve <eve@shop.test>\n\nmore")
    assert (await push(stand, "main"))[0]
    found = await authors_between(stand.mirror(), first, last)
    assert set(found) == {"Ada <ada@example.com>", "Grace <grace@shop.test>", "Alan <alan@shop.test>"}
    assert await authors_between(stand.mirror(), last, last) == ()
    assert await authors_between(stand.mirror(), None, first) == ("Ada <ada@example.com>",)
