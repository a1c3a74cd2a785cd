"""SIGKILL of the daemon at each step of one deployment, on both sides of what the journal says of it.

The same activity is killed again and again: each daemon that comes back carries it as far as the next point. Visitors
read and order all the time. What is right is counted as after a storm.
"""

from __future__ import annotations

import pytest

from deployd.activity.table import NO_WAY_BACK, NOTHING
from deployd.deployment.steps import DEACTIVATE, DELETE, PAUSE, PUSH, WAKE
from tests.chaos.promoter import Promoter
from tests.chaos.stand import MAIN, SIDE, Stand
from tests.support.journal_record import read_records

pytestmark = pytest.mark.slow

BEFORE_UNDO = PUSH.steps[:[step.name for step in PUSH.steps].index("run_deploy_hook") + 1]
WAY = [
    f"{step.name}:{side}" for step in (*PUSH.steps, *DELETE.steps) for side in ("started:after", "done:before")
]
RESTING, LEAVING = [
    [f"{step.name}:{side}" for table in tables for step in table.steps for side in ("started:after", "done:before")]
    for tables in ((PAUSE, WAKE), (DEACTIVATE,))
]
WAY_BACK = [
    point for step in reversed(BEFORE_UNDO) if step.undone_by not in (NOTHING, NO_WAY_BACK)
    for point in (f"{step.name}:undoing:after", f"{step.name}:undone:before")
]
WAY_TO_GATE = [":wish:after", "build_apps:undone:before"]
"""Nothing is live by then; once it is approved it is begun anew. A promotion has the steps of a push."""
WAY_THROUGH = [
    "fetch:started:after", "wait_for_unlock:done:before", "wait_for_unlock:done:after", "switch:answered:after",
]

WAY_OF_A_BAD_RELEASE = [
    "watch_release:started:after", "watch_release:done:before", "judge_release:started:after",
    "judge_release:failed:before", "judge_release:failed:after", "switch:started:after", "judge_release:done:before",
]
"""The last two are of the rollback."""


async def test_one_push_and_one_delete_end_well_though_the_daemon_is_killed_at_each_step_of_them(stand: Stand) -> None:
    main, side = stand.actors[MAIN], stand.actors[SIDE]
    begin = {WAY[0]: main.push_calm, f"{DELETE.steps[0].name}:started:after": side.delete_only}
    for point in WAY:
        await stand.die_at(point, begin.get(point))
    await stand.end_well()
    push, delete = read_records(stand.state)[-2:]
    assert ((push.state, push.reason), (delete.state, delete.reason)) == (("success", ""), ("success", ""))
    assert await stand.wrong() == []


async def test_what_is_paused_woken_deactivated_and_activated_ends_well_though_the_daemon_is_killed_at_each_step(
    stand: Stand,
) -> None:
    side = stand.actors[SIDE]
    for point in RESTING:   # the visitors come all the time: who comes while it is paused wakes it
        await stand.die_at(point, side.pause if point == RESTING[0] else None)
    await stand.end_well()
    for point in LEAVING:
        await stand.die_at(point, side.deactivate if point == LEAVING[0] else None)
    await stand.end_well()
    await side.activate()
    await stand.until_ended()
    *_, pause, wake, deactivate, activate = read_records(stand.state)
    assert [(item.kind, item.state, item.reason) for item in (pause, wake, deactivate, activate)] == [
        (kind, "success", "") for kind in ("pause", "wake", "deactivate", "activate")]
    assert await stand.wrong() == []


async def test_a_push_whose_deploy_hook_fails_is_undone_though_the_daemon_is_killed_at_each_step_back(
    stand: Stand,
) -> None:
    for point in WAY_BACK:
        await stand.die_at(point, stand.actors[MAIN].push_bad_deploy if point == WAY_BACK[0] else None)
    await stand.end_well()
    [*_, failed] = read_records(stand.state)
    assert failed.state == "failed"
    assert "deploy hook of app ended with exit code 1" in failed.reason
    assert await stand.wrong() == []


async def test_a_promotion_that_is_approved_is_live_once_though_the_daemon_is_killed_at_the_gate_and_behind_it(
    stand: Stand,
) -> None:
    promoter = Promoter(stand.daemon)
    for point in WAY_TO_GATE:
        await stand.die_at(point, promoter.promote if point == WAY_TO_GATE[0] else None)
    for point in WAY_THROUGH:
        await stand.die_at(point, promoter.approve if point == WAY_THROUGH[0] else None)
    await stand.end_well()
    assert promoter.states() == [("done", 1)]
    promoted = [record for record in read_records(stand.state) if record.branch == "gate"]
    assert [(record.kind, record.state, record.reason) for record in promoted] == [("promote", "success", "")]
    slugs = promoter.slugs()
    assert [branch for branch, _ in slugs].count("gate") == 1, "it went live once"
    assert dict(slugs)["gate"] == dict(slugs)["main"]
    assert await stand.wrong() == []


async def test_a_bad_release_is_taken_back_once_though_the_daemon_is_killed_at_each_step_of_that(stand: Stand) -> None:
    for point in WAY_OF_A_BAD_RELEASE:
        await stand.die_at(point, stand.actors[MAIN].push_bad_release if point == WAY_OF_A_BAD_RELEASE[0] else None)
    await stand.end_well()
    [before, *_, bad, back] = [record for record in read_records(stand.state) if record.branch == MAIN.branch]
    assert (bad.kind, bad.state) == ("push", "failed")
    assert "the smoke test mood failed 3 times in a row" in bad.reason
    assert (back.kind, back.state, back.deployed) == ("rollback", "success", before.commit)
    assert await stand.wrong() == []
