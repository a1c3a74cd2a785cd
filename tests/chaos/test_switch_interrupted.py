"""The switch, interrupted between the router's act and the journal's word, again and again.

Visitors read and order all the time: they are on the earlier version or on the new one, and never meet a container that
is gone. Whoever comes back finds out that it was switched, and does it again.
"""

from __future__ import annotations

import pytest

from tests.chaos.stand import LIMIT_SECONDS, MAIN, Stand
from tests.support.journal_record import read_records
from tests.support.kill_points import LOST, LOST_ANSWERS, VARIABLE

pytestmark = pytest.mark.slow
AROUND = ("switch:started:after", *["switch:answered:after"] * 3, "switch:done:before")


async def test_a_daemon_that_is_killed_around_the_switch_again_and_again_harms_no_visitor(stand: Stand) -> None:
    for number, point in enumerate(AROUND):
        await stand.die_at(point, stand.actors[MAIN].push_calm if number == 0 else None)
    await stand.end_well()
    assert read_records(stand.state)[-1].state == "success"
    assert await stand.wrong() == []


async def test_a_switch_whose_answers_are_lost_is_done_again_and_never_undone(stand: Stand) -> None:
    await stand.daemon.stop()
    await stand.daemon.start(LIMIT_SECONDS, module="tests.support.kill_points", environment={VARIABLE: LOST})
    await stand.actors[MAIN].push_calm()
    await stand.until_ended()
    [*_, push] = read_records(stand.state)
    assert push.state == "success"
    assert sum((entry.step, entry.event) == ("switch", "in_doubt") for entry in push.entries) == LOST_ANSWERS
    assert await stand.wrong() == []
