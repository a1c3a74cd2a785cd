"""The Engine dies, alone or with the whole host, and everything comes back without a push and without a stranger."""

from __future__ import annotations

import pytest

from tests.chaos.own_host import in_own_host

pytestmark = pytest.mark.slow
ACTS = (
    "a_power_cut", "containers_that_change_places", "an_engine_killed_in_a_build",
    "an_engine_killed_when_containers_are_made",
)
"""`make chaos` does all of them; with visitors who are held an Engine takes half a minute to come back."""


async def test_after_outages_all_is_live_again_and_no_host_ever_answered_with_anothers_text() -> None:
    said: list[str] = []
    ended = await in_own_host("tests.chaos.outages", *ACTS, on_line=said.append)
    assert ended.status == 0, "\n".join(said)
