"""An environment that was protected after somebody asked for its end: what waited takes nothing of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.activity.journal import Journal
from deployd.clock import SystemClock
from deployd.deployment.delete import ProtectedStays, remove_environment
from deployd.deployment.deployment import Deployment
from deployd.deployment.mode import Mode, Target
from deployd.deployment.pause import EnvironmentGone, close_environment
from deployd.environment.naming import Source
from deployd.ids import ActivityId
from deployd.settings import Settings
from deployd.state.activities import Activity, Trigger
from deployd.state.entries import Entry

SHOP = Settings.model_validate({"projects": {"shop": {
    "environments": {"staging": {"protected": True}},
}}}).projects
NOTHING = cast(Any, SimpleNamespace())
"""No host: whatever is touched there is missing."""


def deployment(kind: str, branch: str = "staging", *entries: Entry) -> Deployment:
    (project,) = SHOP.values()
    activity = Activity(
        ActivityId(7), Source(project.id, branch).environment, branch, kind, 1, None, Trigger("ada", "api"),
        "in_progress", "", SystemClock().now(),
    )
    return Deployment(activity, project, "deployd", Journal(entries), Mode(Target.NOTHING))


async def test_a_deletion_that_waited_ends_nothing_that_was_protected_meanwhile() -> None:
    with pytest.raises(ProtectedStays, match="staging of shop is protected by now") as caught:
        await remove_environment(deployment("delete"), NOTHING, NOTHING)
    assert caught.value.certainly_not_done, "else it would be tried for ever"


async def test_a_deletion_that_was_begun_before_is_brought_to_its_end() -> None:
    begun = Entry("remove_environment", "started", SystemClock().now())
    with pytest.raises(AttributeError, match="router"):   # it goes on to take its hosts away
        await remove_environment(deployment("delete", "staging", begun), NOTHING, NOTHING)


async def test_a_deactivation_that_waited_is_refused_and_a_pause_is_not() -> None:
    with pytest.raises(ProtectedStays):
        await close_environment(deployment("deactivate"), NOTHING, NOTHING)
    for kind, branch in (("pause", "staging"), ("deactivate", "other")):
        facts = SimpleNamespace(rest=_gone)
        with pytest.raises(EnvironmentGone):
            await close_environment(deployment(kind, branch), cast(Any, SimpleNamespace(facts=facts)), NOTHING)


async def _gone(_: Any) -> None:
    return None
