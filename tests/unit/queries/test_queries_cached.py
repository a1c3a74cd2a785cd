"""What many ask for is made once, and nobody waits for it who can have the one before."""

from __future__ import annotations

import asyncio

from deployd.queries.cached import Cached

NEVER = 10_000.0


class Maker:
    def __init__(self) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def make(self) -> int:
        self.begun.set()
        await self.go.wait()
        self.made += 1
        return self.made


async def test_who_comes_while_it_is_made_waits_for_the_same_when_there_is_none() -> None:
    maker = Maker()
    cached = Cached(maker.make, NEVER)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(cached.get()) for _ in range(100)]
        await maker.begun.wait()
        maker.go.set()
    assert {task.result() for task in asked} == {1}
    assert await cached.get() == 1


async def test_who_comes_while_it_is_made_anew_gets_the_one_before() -> None:
    maker = Maker()
    cached = Cached(maker.make, 0.0, while_made_seconds=NEVER)
    maker.go.set()
    assert (await cached.get(), await cached.get()) == (1, 2)
    maker.go.clear()
    maker.begun.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(cached.get())
        await maker.begun.wait()
        assert [await cached.get() for _ in range(100)] == [2] * 100
        assert not first.done()
        maker.go.set()
    assert first.result() == 3


async def test_one_that_is_too_old_is_waited_for() -> None:
    maker = Maker()
    cached = Cached(maker.make, 0.0)
    maker.go.set()
    assert await cached.get() == 1
    maker.go.clear()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(cached.get()) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in asked)
        maker.go.set()
    assert {task.result() for task in asked} <= {2, 3}


async def test_a_making_that_fails_keeps_the_one_before_from_nobody() -> None:
    tries = 0

    async def make() -> int:
        nonlocal tries
        tries += 1
        if tries == 2:
            raise OSError("away")
        return tries

    cached = Cached(make, 0.0, while_made_seconds=NEVER)
    assert await cached.get() == 1
    try:
        await cached.get()
        raise AssertionError("it was told as it is")
    except OSError:
        pass
    assert await cached.get() == 3
