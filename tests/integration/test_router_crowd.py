"""Many held at once, in order, paced; and nginx reloaded meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from deployd.router.control import Router, RouterRefused
from tests.support.router_stand import (
    Backend,
    Stand,
    ask,
    backend,
    docker,
    route,
    router,
    routes,
    running_router,
    stand,
    unique,
    wait_for_socket,
    wait_until_held,
)

__all__ = ["router", "stand"]


async def test_two_thousand_held_requests_all_reach_the_new_version(stand: Stand, router: Router) -> None:
    environment, host = unique("crowd")
    async with backend("old") as old, backend("new") as new, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, old.target)))
        await router.freeze(environment, 60)
        waiting = [
            group.create_task(ask(
                stand, host, f"/{number}", method="POST" if number % 4 == 0 else "GET",
                body=b"x" * 3000 if number % 4 == 0 else b"", limit_seconds=60,
            ))
            for number in range(2000)
        ]
        await wait_until_held(router, environment, 2000, limit_seconds=40)
        released = await router.switch(routes(environment, "2", route(host, new.target)))
        answers = [await task for task in waiting]
    assert Counter((answer.status, answer.backend) for answer in answers) == {(200, "new"): 2000}
    assert Counter(seen["path"] for seen in new.seen) == Counter(f"/{number}" for number in range(2000))
    assert all(len(seen["body"]) == (3000 if seen["method"] == "POST" else 0) for seen in new.seen)
    assert (released.held, released.left, released.expired, old.seen) == (2000, 0, 0, [])


async def test_release_is_paced_by_the_answers(stand: Stand) -> None:
    environment, host = unique("pace")
    async with (stand.router(pace=8) as router, backend("new", delay_seconds=0.02) as new,
                asyncio.TaskGroup() as group):
        await router.switch(routes(environment, "1", route(host, new.target)))
        await router.freeze(environment, 30)
        waiting = [group.create_task(ask(stand, host)) for _ in range(200)]
        await wait_until_held(router, environment, 200)
        await router.switch(routes(environment, "2", route(host, new.target)))
        assert {(await task).status for task in waiting} == {200}
    assert 6 <= new.most_under_way <= 8


async def test_release_is_in_the_order_of_arrival_over_all_workers(stand: Stand) -> None:
    environment, host = unique("order")
    async with stand.router(pace=1) as router, backend("new") as new, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, new.target)))
        await router.freeze(environment, 30)
        waiting = []
        for number in range(60):
            waiting.append(group.create_task(ask(stand, host, f"/{number}")))
            await wait_until_held(router, environment, number + 1)
        await router.switch(routes(environment, "2", route(host, new.target)))
        for task in waiting:
            await task
    assert [seen["path"] for seen in new.seen] == [f"/{number}" for number in range(60)]


async def test_an_application_that_is_stuck_does_not_keep_the_crowd_for_ever() -> None:
    with running_router(stalled_seconds=1) as found:
        async with (found.router(pace=2) as router, backend("new", delay_seconds=3) as new,
                    asyncio.TaskGroup() as group):
            await router.switch(routes("shop/main", "1", route("shop.test", new.target)))
            await router.freeze("shop/main", 30)
            waiting = [group.create_task(ask(found, "shop.test")) for _ in range(4)]
            await wait_until_held(router, "shop/main", 4)
            await router.switch(routes("shop/main", "2", route("shop.test", new.target)))
            await asyncio.sleep(0.5)
            assert new.under_way == 1        # a release begins with few, and there is no answer that lets in more
            await asyncio.sleep(1.5)
            assert new.under_way == 4        # so long without an answer: the next ones are let in all the same
            assert {(await task).status for task in waiting} == {200}


async def test_a_reload_in_a_freeze_keeps_the_freeze_the_held_and_the_routes() -> None:
    with running_router(workers=2) as found:
        async with (found.router() as router, backend("old") as old, backend("new") as new,
                    asyncio.TaskGroup() as group):
            await router.switch(routes("shop/main", "1", route("shop.test", old.target)))
            await router.freeze("shop/main", 60)
            before = [group.create_task(ask(found, "shop.test", f"/before/{n}")) for n in range(100)]
            await wait_until_held(router, "shop/main", 100)
            found.reload()
            await asyncio.sleep(0.7)
            after = [group.create_task(ask(found, "shop.test", f"/after/{n}")) for n in range(100)]
            await wait_until_held(router, "shop/main", 200)
            assert not any(task.done() for task in (*before, *after))
            released = await router.switch(routes("shop/main", "2", route("shop.test", new.target)))
            answers = [await task for task in (*before, *after)]
        assert {(answer.status, answer.backend) for answer in answers} == {(200, "new")}
        assert (released.held, len(new.seen), old.seen) == (200, 200, [])
        assert "[error]" not in found.log()


async def test_a_freeze_ends_by_itself_after_a_reload() -> None:
    with running_router(workers=2) as found:
        async with found.router() as router, backend("old") as old, asyncio.TaskGroup() as group:
            await router.switch(routes("shop/main", "1", route("shop.test", old.target)))
            await router.freeze("shop/main", 2)
            waiting = [group.create_task(ask(found, "shop.test")) for _ in range(20)]
            await wait_until_held(router, "shop/main", 20)
            found.reload()
            answers = [await task for task in waiting]
        assert {answer.status for answer in answers} == {503}
        assert all(answer.seconds < 3 for answer in answers)


async def test_routes_change_under_load_without_one_failed_request(stand: Stand, router: Router) -> None:
    environment, host = unique("load")
    statuses: Counter[tuple[int, str]] = Counter()
    stop = asyncio.Event()

    async def visitor() -> None:
        while not stop.is_set():
            answer = await ask(stand, host)
            statuses[answer.status, answer.backend] += 1

    async with backend("odd") as odd, backend("even") as even, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "0", route(host, even.target)))
        for _ in range(8):
            group.create_task(visitor())
        for version in range(1, 21):
            await router.freeze(environment, 30)
            await asyncio.sleep(0.02)
            target = (even, odd)[version % 2].target
            await router.switch(routes(environment, str(version), route(host, target)))
            await asyncio.sleep(0.05)
        stop.set()
    assert {status for status, _ in statuses} == {200}
    assert statuses[200, "odd"] > 20
    assert statuses[200, "even"] > 20


async def test_ten_thousand_routes_and_a_change_among_them() -> None:
    with running_router() as found:
        async with found.router() as router, backend("shop") as shop:
            for number in range(1000):
                await router.put(routes(f"shop/e{number}", "1", *(
                    route(f"h{host}.e{number}.test", shop.target) for host in range(10)
                )), over=None)
            assert (await ask(found, "h3.e999.test")).status == 200
            began = asyncio.get_running_loop().time()
            await router.switch(routes("shop/e500", "2", route("h1.e500.test", shop.target)))
            assert (await ask(found, "h1.e500.test")).status == 200
            assert asyncio.get_running_loop().time() - began < 0.5
            status = await router.status()
            assert len(status.environments) == 1000
            assert status.free_bytes > 32 * 1024 * 1024


async def _fill(router: Router, shop: Backend) -> None:
    for number in range(50):
        await router.switch(routes(f"shop/e{number}", "1", *(
            route(f"h{host}.e{number}.test", shop.target) for host in range(200)
        )))


async def test_a_full_memory_is_told_and_nothing_is_thrown_out() -> None:
    with running_router(routes_mb=1) as found:
        async with found.router() as router, backend("shop") as shop:
            await router.switch(routes("shop/first", "1", route("first.test", shop.target)))
            with pytest.raises(RouterRefused, match="memory for routes is full"):
                await _fill(router, shop)
            assert (await ask(found, "first.test")).status == 200
            status = await router.status()
            last = f"e{len(status.environments) - 2}"
            assert (await ask(found, f"h199.{last}.test")).status == 200
            await router.remove(f"shop/{last}")
            assert (await router.status()).free_bytes > status.free_bytes


async def test_a_killed_nginx_comes_back_with_an_empty_memory_and_says_so() -> None:
    with running_router() as found:
        async with found.router() as router, backend("shop") as shop:
            await router.complete()
            await router.switch(routes("shop/main", "1", route("shop.test", shop.target)))
            before = await router.status()
            docker("kill", "--signal", "KILL", found.name)
            docker("start", found.name)
            wait_for_socket(found)
            after = await router.status()
            assert (after.started > before.started, after.complete, dict(after.environments)) == (True, False, {})
            async with asyncio.TaskGroup() as group:   # who comes before all is told waits for it
                early = [group.create_task(ask(found, f"{host}.test")) for host in ("shop", "unknown")]
                await asyncio.sleep(0.5)
                assert not any(task.done() for task in early)
                await router.put(routes("shop/main", "1", route("shop.test", shop.target)), over=None)
                await router.complete()
            assert [task.result().status for task in early] == [200, 404]


async def test_a_router_that_is_told_nothing_says_that_it_has_just_started() -> None:
    with running_router() as found:
        assert (await ask(found, "shop.test")).status == 503
