"""Visitors of every kind through a few deployments in a row; `make bench ONLY=mixed` takes twenty."""

from __future__ import annotations

from tests.support.mixed.journey import DRAIN_SECONDS, visit_through

DEPLOYMENTS = 4
LATE_SECONDS = 5


async def test_nobody_notices_a_deployment_whatever_way_they_come() -> None:
    count = await visit_through(DEPLOYMENTS, print)
    print(count.line(DEPLOYMENTS))
    assert count.is_clean, (count.errors[:5], count.wrong_version[:5], count.duplicates[:5], count.lost[:5])
    assert {
        "kept", "fresh", "heads", "posts", "uploads", "streams", "sockets", "lines", "feeds", "events", "ranges",
        "pipelined", "cached",
    } <= count.requests.keys()
    assert count.held, "somebody came while the hook ran"
    assert count.reopened > 0
    assert max(count.drains) < DRAIN_SECONDS + LATE_SECONDS
    assert count.restarted > 0, "a switch came into a download"
    assert count.left > count.left_but_done > 0
    assert count.forgotten > 0, "somebody left while the hook ran, and asked again"
    assert count.versions == set(range(DEPLOYMENTS + 1))
