"""What memory a phase of a deployment asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.admission import Need
from deployd.activity.table import Step
from deployd.deployment.deployment import Deployment
from deployd.deployment.steps import PUSH
from deployd.ids import SlugKey
from deployd.plan import Plan, PlannedApp
from deployd.settings import Settings
from tests.unit.deployment.test_deployment_decisions import deployment

BUILD, DEPLOY = PUSH.step("build_apps"), PUSH.step("start_services")


def memory_needed(settings: Settings, total_mb: int, step: Step, made: Deployment) -> Need:
    host: Any = SimpleNamespace(settings=settings)
    assert step.admission is not None
    return step.admission.need(made, host, total_mb)


def plan(action: Any) -> Plan:
    return Plan((PlannedApp("app", SlugKey("a" * 64), action, "because"),), ())


@pytest.mark.parametrize(("settings", "total_mb", "needed"), [
    ({}, 8000, 2048), ({}, 1500, 1500), ({"build": {"memory_mb": 3000}}, 1500, 3000),
])
def test_a_build_needs_its_limit_and_the_default_limit_gives_way_on_a_small_host(
    settings: dict[str, Any], total_mb: int, needed: int,
) -> None:
    found = memory_needed(Settings.model_validate(settings), total_mb, BUILD, deployment(None, plan=plan("build")))
    assert found == Need(needed, "the build", is_production=True)


def test_reused_slugs_need_nothing_and_no_slot_of_those_that_build() -> None:
    assert memory_needed(Settings(), 8000, BUILD, deployment(None, plan=plan("reuse"))) == Need(slot=False)


def test_a_deployment_needs_little_whatever_its_limits_are() -> None:
    assert memory_needed(Settings(), 8000, DEPLOY, deployment(None)) == Need(256, "the deployment", is_production=True)
    assert memory_needed(Settings(), 128, DEPLOY, deployment(None)).memory_mb == 128
    assert memory_needed(Settings(), 8000, PUSH.step("switch"), deployment(None)) == Need(is_production=True)
