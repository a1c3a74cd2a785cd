"""Who waits for whom when costly answers are made."""

from __future__ import annotations

import asyncio

import pytest

from deployd.access.concurrency import RequestQueue


@pytest.mark.looptime
async def test_one_token_has_its_share_of_the_turns_and_the_others_have_the_rest() -> None:
    queue, order, now, most = RequestQueue(3, 2), list[str](), 0, 0

    async def answer(token: str) -> None:
        nonlocal now, most
        async with queue.take(token):
            now, order[:] = now + 1, [*order, token]
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1

    async with asyncio.TaskGroup() as group:
        for token in ("many",) * 10 + ("few",):
            group.create_task(answer(token))
    assert order[:3] == ["many", "many", "few"]
    assert (len(order), most) == (11, 3)
