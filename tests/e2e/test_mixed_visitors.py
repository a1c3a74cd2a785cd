"""Visitors of every kind through a few deployments in a row; `make bench ONLY=mixed` takes twenty."""

from __future__ import annotations

from tests.mixed.journey import visit_through

DEPLOYMENTS = 4


async def test_nobody_notices_a_deployment_whatever_way_they_come() -> None:
    count = await visit_through(DEPLOYMENTS, print)
    print(count.line(DEPLOYMENTS))
    assert count.is_clean, (count.errors[:5], count.wrong_version[:5], count.duplicates[:5], count.lost[:5])
    assert {"kept", "fresh", "heads", "posts", "uploads", "streams", "sockets", "lines"} <= count.requests.keys()
    assert count.held, "somebody came while the hook ran"
    assert count.reopened > 0
    assert count.versions == set(range(DEPLOYMENTS + 1))
