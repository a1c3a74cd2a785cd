"""A short storm with a fixed seed; `make chaos` is the long one."""

from __future__ import annotations

import pytest

from tests.chaos.__main__ import storm

pytestmark = pytest.mark.slow
SEED, KILLS = 4, 4


async def test_after_a_storm_nothing_is_lost_doubled_or_left_over_and_no_visitor_saw_an_error() -> None:
    said: list[str] = []
    count = await storm(SEED, lambda kills: kills >= KILLS, said.append)
    assert count.is_clean, "\n".join([*said, *count.evidence()])
    assert count.kills == KILLS
