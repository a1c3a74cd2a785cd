"""Requests as most visitors make them."""

from __future__ import annotations

from tests.support.mixed.visit import Visit

POST_BYTES = 5000


async def kept(visit: Visit) -> None:
    await visit.ask("kept", "GET", "/kept")


async def fresh(visit: Visit) -> None:
    await visit.ask("fresh", "GET", "/fresh", {"Connection": "close"})


async def heads(visit: Visit) -> None:
    await visit.ask("heads", "HEAD", "/head")
    await visit.ask("heads", "GET", "/query", params={"a": "b"})


async def cached(visit: Visit) -> None:
    """What the router keeps for a minute: longer than a version lives."""
    await visit.ask("cached", "GET", "/cached")


async def posts(visit: Visit) -> None:
    name = visit.new_id()
    visit.sent.add(name)
    await visit.ask("posts", "POST", "/post", {"X-Id": name}, data=b"x" * POST_BYTES)
