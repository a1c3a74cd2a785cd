"""What is offered for approval: its digest, where slugs are from, what differs. Nothing begins before the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.cancellation import Hold
from deployd.activity.journal import DONE, Journal, write_result
from deployd.deployment import lock, services
from deployd.deployment.deployment import Deployment
from deployd.deployment.mode import Mode, Target
from deployd.deployment.offer import make_offer
from deployd.deployment.results import Fetched, Planned
from deployd.environment.naming import Source
from deployd.git.history import Commits
from deployd.git.mirror import CommitInfo
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId, SlugKey, TreeId
from deployd.plan import Plan, PlannedApp, PlannedService
from deployd.process import Output, ProgramFailed
from deployd.promotion.gate import Obstacle, Verdict
from deployd.promotion.offer import Offer
from deployd.release.tickets import is_contained
from deployd.release.version import ServiceVersion, Version
from deployd.settings import ProjectSettings
from deployd.state.entries import Entry
from tests.doubles.no_variables import NoVariables
from tests.unit.deployment.test_deployment_decisions import APP, NOW, Doubles, QuietTell, deployment, version

SHOP = ProjectId("shop")
PRODUCTION, STAGING = (Source(SHOP, branch).environment for branch in ("production", "staging"))
OLD, NEW = ActivityId(3), ActivityId(7)
ABOUT = CommitInfo(CommitId("a" * 40), "Mend", "Grace", "2026-05-04T10:00:00+00:00", TreeId("t"))
STAGES = {"staging": {"protected": True}, "production": {"protected": {"source": "staging"}}}


class Town(NoVariables):
    """Git and the database, as far as an offer asks them."""

    def __init__(self, folder: Path, environments: dict[str, Any] | None = None) -> None:
        self.doubles = Doubles(folder, {".platform.app.yaml": APP})
        self.lives: dict[EnvironmentId, Version] = {}
        self.project = ProjectSettings.model_validate({"id": "shop", "environments": environments or STAGES})
        self.verdict = Verdict()
        self.asked: list[tuple[Offer, bool]] = []
        self.main = CommitId("c" * 40)
        self.gone: frozenset[str] = frozenset()

    @property
    def host(self) -> Any:
        host = self.doubles.host
        host.facts, host.code = self, self
        return host

    def deployment(self, planned: Planned, branch: str = "production") -> Deployment:
        journal = Journal((
            Entry("fetch", DONE, NOW, write_result(Fetched(planned.version.commit))),
            Entry("read_and_plan", DONE, NOW, write_result(planned)),
        ))
        made = deployment(None)
        activity = replace(made.activity, environment=Source(SHOP, branch).environment, branch=branch)
        return Deployment(activity, self.project, "test", journal, Mode(Target.COMMIT, waits_for_unlock=True))

    async def live(self, environment: EnvironmentId) -> Version | None:
        return self.lives.get(environment)

    async def has_open_ticket(self, activity: ActivityId) -> bool:
        return False

    async def ask_gate(self, activity: Any, offer: Offer, *, is_contained: bool) -> Verdict:
        self.asked.append((offer, is_contained))
        return self.verdict

    async def read(self, project: ProjectSettings, commit: CommitId) -> Any:
        return await self.doubles.read(project, commit)

    async def about(self, project: ProjectId, commit: CommitId) -> CommitInfo:
        return ABOUT

    async def commits_behind(self, project: ProjectId, old: CommitId, new: CommitId, most: int) -> Commits | None:
        return None if self.gone & {old, new} else Commits(1, (ABOUT,)[:most])

    async def authors_between(self, project: ProjectId, old: CommitId | None, new: CommitId) -> tuple[str, ...]:
        if old in self.gone:
            raise ProgramFailed(("git",), Output(128, b"", b""))
        return ("Grace <grace@shop.test>",) if old else ("Grace <grace@shop.test>", "Ada <ada@shop.test>")

    async def contains(self, project: ProjectId, branch: str, commit: CommitId) -> bool:
        assert branch == "main"
        return commit <= self.main

    async def holds(self, project: ProjectId, older: CommitId, newer: CommitId) -> bool:
        return older <= newer


def planned(slug: str = "b", before: Version | None = None, action: Any = "reuse", **more: Any) -> Planned:
    made = replace(version(NEW, slug), **more)
    app = PlannedApp(made.apps[0].name, SlugKey(slug * 64), action, "3 files changed")
    return Planned(made, before, Plan((app,), ()), ())


async def test_what_was_built_and_what_was_there_already_are_one_offer(tmp_path: Path) -> None:
    """The activity is planned twice: first it is built, and after the approval it is there."""
    town = Town(tmp_path)
    first, again = [(await make_offer(town.deployment(planned(action=action)), town.host)).offered
                    for action in ("build", "reuse")]
    assert first.digest == again.digest


@pytest.mark.parametrize("other", [
    planned("d"), planned(commit=CommitId("b" * 40)), planned(routes=("http://other/",)),
    planned(services=(ServiceVersion("db", "redis:8.0", "image", "digest"),)), planned(before=version(OLD, "a")),
    planned(apps=(replace(version(NEW, "b").apps[0], running="another variable"),)),
    replace(planned(), plan=Plan((), (PlannedService("db", "remove", "gone"),))),
    replace(planned(), plan=Plan((), (), run_deploy_hook=False)),
])
async def test_whatever_visitors_could_notice_makes_another_digest(tmp_path: Path, other: Planned) -> None:
    town = Town(tmp_path)
    digests = [(await make_offer(town.deployment(item), town.host)).offered.digest for item in (planned(), other)]
    assert digests[0] != digests[1]


async def test_the_same_is_another_offer_in_another_environment(tmp_path: Path) -> None:
    town = Town(tmp_path)
    offers = [await make_offer(town.deployment(planned(), branch), town.host) for branch in STAGES]
    assert offers[0].offered.digest != offers[1].offered.digest


async def test_a_slug_that_was_tested_is_named_and_one_that_was_not_says_why(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.lives[STAGING] = version(OLD, "b")
    tested = await make_offer(town.deployment(planned()), town.host)
    assert [where for _, _, where in tested.brief.slugs] == ["the one that is live on staging, byte by byte"]
    assert tested.offered.apps[0].is_from_source
    parts = replace(version(OLD, "b").apps[0].parts, variables="others")
    town.lives[STAGING] = replace(version(OLD, "a"), apps=(replace(version(OLD, "a").apps[0], parts=parts),))
    other = await make_offer(town.deployment(planned(action="build")), town.host)
    assert [where for _, _, where in other.brief.slugs] == [
        "not the one of staging: a variable that builds see changed",
    ]
    assert tested.offered.digest == other.offered.digest, "where else it is live changes nothing of it"


async def test_what_differs_is_told_by_names_and_never_by_values(tmp_path: Path) -> None:
    secret = {"env:TOKEN": {"value": "s3cr3t-of-production", "sensitive": True}, "env:SAME": "1"}
    town = Town(tmp_path, {
        "staging": {"protected": True, "variables": {"env:SAME": "1", "env:TOKEN": "of-staging"}},
        "production": {"protected": {"source": "staging"}, "variables": secret},
    })
    town.lives[STAGING] = replace(
        version(OLD, "b"), routes=("http://staging.test/",),
        services=(ServiceVersion("db", "redis:7.2", "i", "d"), ServiceVersion("old", "redis:8.0", "i", "d")),
    )
    wanted = planned(routes=("http://shop.test/",), services=(ServiceVersion("db", "redis:8.0", "i", "e"),))
    found = await make_offer(town.deployment(wanted), town.host)
    said = "\n".join(found.brief.differs)
    assert "another value of TOKEN" in said
    assert "SAME" not in said
    assert "the service db is set up otherwise than on staging: redis:7.2 there, redis:8.0 here" in said
    assert "the service old is only on staging" in said
    assert "its addresses: http://shop.test/ (on staging: http://staging.test/)" in said
    assert "s3cr3t" not in str(found)


async def test_commits_since_what_is_live_are_told_and_all_authors_when_that_is_not_here_any_more(
    tmp_path: Path,
) -> None:
    town, before = Town(tmp_path), version(OLD, "a")
    found = (await make_offer(town.deployment(planned(before=before)), town.host)).brief
    assert (found.count, found.back, found.authors) == (1, 1, ("Grace <grace@shop.test>",))
    town.gone = frozenset({before.commit})
    found = (await make_offer(town.deployment(planned(before=before)), town.host)).brief
    assert (found.count, found.back, len(found.authors)) == (0, 0, 2)


async def test_a_commit_is_contained_in_the_branch_or_in_what_is_live_on_a_protected_source(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def has(branch: str, letter: str) -> bool:
        return await is_contained(town.host, town.project, branch, CommitId(letter * 40))

    assert await has("staging", "c")
    assert not await has("staging", "d")
    assert not await has("production", "a"), "nothing is live on staging"
    town.lives[STAGING] = replace(version(OLD, "b"), commit=CommitId("b" * 40))
    assert await has("production", "a")
    assert not await has("production", "c")


async def test_a_push_is_held_at_the_gate_with_what_stands_in_the_way(tmp_path: Path) -> None:
    town, tell = Town(tmp_path), QuietTell()
    passed = await lock.wait_for_unlock(town.deployment(planned(), "staging"), town.host, tell)   # type: ignore[arg-type]
    assert passed.digest == town.asked[0][0].offered.digest
    town.verdict = Verdict((Obstacle("approval-missing", "staging needs 1 approval", "ask"),))
    with pytest.raises(Hold, match="staging needs 1 approval"):
        await lock.wait_for_unlock(town.deployment(planned(), "staging"), town.host, tell)   # type: ignore[arg-type]


async def test_a_redeploy_and_a_rollback_ask_no_gate(tmp_path: Path) -> None:
    town, tell = Town(tmp_path), QuietTell()
    town.verdict = Verdict((Obstacle("approval-missing", "no", "ask"),))
    wanted = replace(town.deployment(planned()), mode=Mode(Target.LIVE, starts_anew=True))
    assert await lock.wait_for_unlock(wanted, town.host, tell) == lock.Open()   # type: ignore[arg-type]
    assert town.asked == []


async def test_no_service_of_a_protected_environment_begins_before_its_gate(tmp_path: Path) -> None:
    """They have its passwords; anything of the host would be asked here, and there is none."""
    town, nothing = Town(tmp_path), SimpleNamespace()
    await services.begin_services(town.deployment(planned()), nothing, QuietTell())   # type: ignore[arg-type]
    await services.end_new_services(town.deployment(planned()), nothing, QuietTell())   # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        await services.begin_services(town.deployment(planned(), "open"), nothing, QuietTell())   # type: ignore[arg-type]
