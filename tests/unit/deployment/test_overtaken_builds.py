"""Which pushes give way to a newer one: by the setting, and by how far they are."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.executor import Executor
from deployd.activity.journal import STARTED, Journal
from deployd.deployment.kinds import KINDS
from deployd.deployment.steps import PUSH
from deployd.settings import Settings
from deployd.state.entries import Entry
from tests.unit.deployment.test_deployment_decisions import deployment

STEPS = [step.name for step in PUSH.steps]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def may_be_overtaken(begun: list[str], **settings: Any) -> bool:
    host: Any = SimpleNamespace(settings=Settings.model_validate(settings))
    missing: Any = None
    executor = Executor(KINDS, missing, host, missing, missing)
    return executor.may_be_overtaken(deployment(None).activity, Journal(tuple(Entry(s, STARTED, NOW) for s in begun)))


@pytest.mark.parametrize("begun", range(len(STEPS) + 1))
def test_a_push_gives_way_before_its_freeze_and_never_from_then_on(begun: int) -> None:
    assert may_be_overtaken(STEPS[:begun], overtaken_builds="cancel") is (begun <= STEPS.index("freeze"))


@pytest.mark.parametrize(("settings", "gives_way"), [
    ({}, False),
    ({"overtaken_builds": "cancel"}, True),
    ({"projects": {"shop": {"overtaken_builds": "cancel"}}}, True),
    ({"overtaken_builds": "cancel", "projects": {"shop": {"overtaken_builds": "finish"}}}, False),
    ({"projects": {"blog": {"overtaken_builds": "cancel"}}}, False),
])
def test_the_project_s_word_counts_before_the_daemon_s(settings: dict[str, Any], gives_way: bool) -> None:
    assert may_be_overtaken(["fetch", "read_and_plan", "build_apps"], **settings) is gives_way
