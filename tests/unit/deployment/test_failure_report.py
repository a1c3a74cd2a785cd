"""After which ends visitors' answers are asked for, and what is told of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.executor import Executor
from deployd.activity.journal import DONE, FAILED, STARTED, UNDONE, Journal
from deployd.activity.kinds import Progress
from deployd.deployment.kinds import KINDS
from deployd.deployment.steps import PUSH
from deployd.settings import ProjectSettings, Settings
from deployd.state.entries import Entry
from tests.doubles.activity_world import QuietTell
from tests.unit.deployment.test_deployment_decisions import NOW, SHOP, deployment

pytestmark = pytest.mark.looptime


class Facts:
    """Counts who asks for what is live: the first that asking visitors' answers does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self._error = error

    async def rest(self, *_: object) -> str:
        return ""

    async def live(self, *_: object) -> None:
        self.asked += 1
        if self._error:
            raise self._error


async def ask(facts: Facts, *entries: tuple[str, str]) -> Executor:
    host: Any = SimpleNamespace(settings=Settings(projects={SHOP: ProjectSettings(id=SHOP)}), facts=facts)
    missing: Any = None
    executor = Executor(KINDS, missing, host, missing, missing, ErrorBoundary("way back"))
    journal = Journal(tuple(Entry(step, event, NOW) for step, event in entries))
    tell: Any = QuietTell()
    progress = Progress(deployment(None).activity, PUSH, journal)
    await executor._tell_contained(KINDS["push"].reports.after_way_back, progress, tell)
    return executor


@pytest.mark.parametrize(("entries", "asked"), [
    ((("fetch", FAILED),), 0),
    ((("build_apps", FAILED),), 0),
    ((("start_apps", FAILED), ("start_apps", UNDONE)), 1),
    ((("freeze", DONE), ("run_deploy_hook", FAILED), ("freeze", UNDONE)), 1),
    ((("wait_until_healthy", STARTED),), 1),
    ((("start_apps", DONE), ("switch", DONE), ("run_post_deploy", FAILED)), 0),
], ids=["validate", "build", "deploy", "hook", "cancelled", "after the switch"])
async def test_visitors_are_asked_for_after_each_way_back_and_not_where_nothing_was_touched(
    entries: tuple[tuple[str, str], ...], asked: int,
) -> None:
    facts = Facts()
    await ask(facts, *entries)
    assert facts.asked == asked


async def test_an_activity_does_not_fail_of_it() -> None:
    executor = await ask(Facts(RuntimeError("nobody expected this")), ("start_apps", FAILED))
    assert executor.boundary.failures == 1
