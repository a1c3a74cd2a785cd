"""Freeze, switch and thaw: nobody is lost, nobody is answered twice, nobody waits for ever."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from deployd.router.control import Router, RouterAbsent, RouterRefused
from deployd.router.table import Released
from tests.support.router_stand import (
    Stand,
    ask,
    backend,
    parse_answer,
    route,
    router,
    routes,
    running_router,
    stand,
    unique,
    wait_until_held,
)

__all__ = ["router", "stand"]


async def test_held_requests_reach_the_new_version_only(stand: Stand, router: Router) -> None:
    environment, host = unique("switch")
    async with backend("old") as old, backend("new") as new, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, old.target)))
        freeze = await router.freeze(environment, 30)
        assert (29 < freeze.seconds_left <= 30, freeze.again) == (True, False)
        waiting = [group.create_task(ask(stand, host, f"/{number}")) for number in range(50)]
        await wait_until_held(router, environment, 50)
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in waiting)
        released = await router.switch(routes(environment, "2", route(host, new.target)))
        answers = [await task for task in waiting]
    assert {(answer.status, answer.backend) for answer in answers} == {(200, "new")}
    assert (len(old.seen), len(new.seen)) == (0, 50)
    assert (released.held, released.expired, released.left, released.refused) == (50, 0, 0, 0)
    assert 0.3 <= released.longest_seconds < 10


async def test_a_thaw_releases_to_the_version_that_was_there(stand: Stand, router: Router) -> None:
    environment, host = unique("thaw")
    async with backend("old") as old, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, old.target)))
        await router.freeze(environment, 30)
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        assert (await router.thaw(environment)).held == 1
        assert (await waiting).backend == "old"
        assert (await router.thaw(environment)).held == 1   # said again: the same figures, nothing changes
    assert await router.look(environment) == "1"


async def test_requests_that_were_under_way_finish_on_the_old_version(stand: Stand, router: Router) -> None:
    environment, host = unique("underway")
    async with backend("old", delay_seconds=0.5) as old, backend("new") as new, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, old.target)))
        before = group.create_task(ask(stand, host))
        await asyncio.sleep(0.2)
        await router.freeze(environment, 30)
        held = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        await router.switch(routes(environment, "2", route(host, new.target)))
        assert ((await before).backend, (await held).backend) == ("old", "new")


async def test_a_held_post_is_delivered_once_with_its_body(stand: Stand, router: Router) -> None:
    environment, host = unique("post")
    body = bytes(range(256)) * 4096
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 30)
        waiting = [group.create_task(ask(stand, host, f"/{n}", method="POST", body=body)) for n in range(20)]
        await wait_until_held(router, environment, 20)
        await router.switch(routes(environment, "2", route(host, shop.target)))
        assert {(await task).status for task in waiting} == {200}
    assert sorted(seen["path"] for seen in shop.seen) == sorted(f"/{n}" for n in range(20))
    assert all(seen["body"] == body for seen in shop.seen)


async def test_a_client_is_not_asked_for_its_body_before_the_release(stand: Stand, router: Router) -> None:
    environment, host = unique("expect")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 30)
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nConnection: close\r\n"
                     "Expect: 100-continue\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.5)
        await router.switch(routes(environment, "2", route(host, shop.target)))
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 100")
        writer.write(b"hello")
        assert parse_answer(await asyncio.wait_for(reader.read(), 5)).status == 200
        writer.close()
    assert shop.seen[0]["body"] == b"hello"


async def test_when_the_time_is_over_people_get_a_page_and_programs_json(stand: Stand, router: Router) -> None:
    environment, host = unique("expiry")
    async with backend("old") as old, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, old.target)))
        await router.freeze(environment, 1)
        person = group.create_task(ask(stand, host, headers="Accept: text/html,application/xhtml+xml\r\n"))
        program = group.create_task(ask(stand, host, headers="Accept: application/json\r\n"))
        page, answer = await person, await program
        assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert 0.8 < page.seconds < 2
        assert b"Back in a moment" in page.body
        assert json.loads(answer.body)["error"] == "maintenance"
        assert answer.headers["retry-after"] == "15"
        late = await ask(stand, host)
        assert (late.status, late.seconds < 0.5) == (503, True)
        status = (await router.status()).environments[environment]
        assert (status.frozen, status.maintenance, status.freeze.expired) == (True, True, 3)
        released = await router.switch(routes(environment, "2", route(host, old.target)))
        assert (released.held, released.expired) == (0, 3)
        assert (await ask(stand, host)).status == 200


async def test_a_page_instead_of_a_held_post_leaves_the_connection_in_order(stand: Stand, router: Router) -> None:
    environment, host = unique("smuggle")
    async with backend("old") as old:
        await router.switch(routes(environment, "1", route(host, old.target)))
        await router.freeze(environment, 0.5)
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        hidden = f"GET /hidden HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(hidden)}\r\n\r\n".encode() + hidden)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 503")
        await router.thaw(environment)
        await reader.readexactly(int(parse_answer(head).headers["content-length"]))
        writer.write(f"GET /open HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert b"/open" in await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert [seen["path"] for seen in old.seen] == ["/open"]


async def test_clients_that_leave_are_forgotten_and_counted(stand: Stand, router: Router) -> None:
    environment, host = unique("leave")
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 30)
        leavers = [group.create_task(ask(stand, host, "/left", method=method, body=body))
                   for method, body in [("GET", b""), ("POST", b"x" * 1000)] * 10]
        await wait_until_held(router, environment, 20)
        stayers = [group.create_task(ask(stand, host, "/stayed")) for _ in range(10)]
        await wait_until_held(router, environment, 30)
        for task in leavers:
            task.cancel()
        async with asyncio.timeout(5):
            while (await router.status()).environments[environment].held_now != 10:
                await asyncio.sleep(0.02)
        released = await router.switch(routes(environment, "2", route(host, shop.target)))
        assert [(await task).status for task in stayers] == [200] * 10
    assert (released.held, released.left) == (10, 20)
    assert {seen["path"] for seen in shop.seen} == {"/stayed"}


async def test_over_the_bound_requests_are_refused_at_once() -> None:
    with running_router(max_held=10) as small:
        async with small.router() as router, backend("shop") as shop, asyncio.TaskGroup() as group:
            await router.switch(routes("shop/main", "1", route("shop.test", shop.target)))
            await router.freeze("shop/main", 30)
            held = [group.create_task(ask(small, "shop.test")) for _ in range(10)]
            await wait_until_held(router, "shop/main", 10)
            refused = await ask(small, "shop.test")
            assert (refused.status, refused.seconds < 0.5, refused.headers["retry-after"]) == (503, True, "5")
            released = await router.switch(routes("shop/main", "2", route("shop.test", shop.target)))
            assert {(await task).status for task in held} == {200}
        assert (released.held, released.refused) == (10, 1)


async def test_environments_are_frozen_each_for_itself(stand: Stand, router: Router) -> None:
    (one, one_host), (two, two_host) = unique("one"), unique("two")
    async with backend("one") as first, backend("two") as second, asyncio.TaskGroup() as group:
        await router.switch(routes(one, "1", route(one_host, first.target)))
        await router.switch(routes(two, "1", route(two_host, second.target)))
        await router.freeze(one, 30)
        waiting = group.create_task(ask(stand, one_host))
        await wait_until_held(router, one, 1)
        assert (await ask(stand, two_host)).backend == "two"
        await router.freeze(two, 30)
        assert (await router.thaw(two)) == Released()
        assert not waiting.done()
        await router.thaw(one)
        assert (await waiting).backend == "one"


async def test_a_switch_may_be_said_twice_and_a_lost_answer_looked_up(stand: Stand, router: Router) -> None:
    environment, host = unique("again")
    async with backend("new") as new, asyncio.TaskGroup() as group:
        assert await router.look(environment) is None
        await router.switch(routes(environment, "1", route(host, new.target)))
        await router.freeze(environment, 30)
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        wanted = routes(environment, "2", route(host, new.target))
        first = await router.switch(wanted)
        await waiting
        generation = (await router.status()).generation
        second = await router.switch(wanted)
        assert (second.held, await router.look(environment)) == (first.held, "2")
        assert (await router.status()).generation == generation


async def test_the_kernel_asks_whether_a_held_client_is_still_there(stand: Stand, router: Router) -> None:
    """So nothing between forgets a connection on which nothing is said for minutes."""
    environment, host = unique("alive")
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 30)
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        timers = [row[5][:2] for row in rows if row[1].endswith(f":{stand.port:04X}") and row[3] == "01"]
        assert "02" in timers   # proc(5): 2 is the keepalive timer
        await router.thaw(environment)
        assert (await waiting).status == 200


async def test_a_second_freeze_keeps_the_end_of_the_first(stand: Stand, router: Router) -> None:
    environment, host = unique("twice")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        assert (await router.freeze(environment, 600)).seconds_left == 300   # never longer, whatever is asked
        await router.thaw(environment)
        await router.freeze(environment, 2)
        freeze = await router.freeze(environment, 30)
        assert (freeze.again, freeze.seconds_left < 2) == (True, True)
        await router.thaw(environment)


async def test_a_first_deployment_can_hold_hosts_that_have_no_route_yet(stand: Stand, router: Router) -> None:
    environment, host = unique("first")
    async with backend("new") as new, asyncio.TaskGroup() as group:
        await router.freeze(environment, 30, [host])
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        assert await router.look(environment) is None
        await router.switch(routes(environment, "1", route(host, new.target)))
        assert (await waiting).backend == "new"
    await router.remove(environment)
    await router.freeze(environment, 30, [host])
    await router.thaw(environment)                                          # it failed: as if it had never been
    assert (await ask(stand, host)).status == 404
    assert environment not in (await router.status()).environments


async def test_putting_routes_back_leaves_a_freeze_as_it_is(stand: Stand, router: Router) -> None:
    environment, host = unique("put")
    async with backend("moved") as moved, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host)))
        await router.freeze(environment, 30)
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        await router.put(routes(environment, "1", route(host, moved.target)), over="1")
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await router.thaw(environment)
        assert (await waiting).backend == "moved"


async def test_putting_routes_back_never_undoes_a_switch_that_came_in_between(stand: Stand, router: Router) -> None:
    environment, host = unique("late")
    async with backend("old") as old, backend("new") as new:
        await router.switch(routes(environment, "1", route(host, old.target)))
        seen = await router.look(environment)
        await router.switch(routes(environment, "2", route(host, new.target)))
        before = (await router.status()).generation
        assert not await router.put(routes(environment, "1", route(host, old.target)), over=seen)
        assert not await router.put(routes(environment, "1", route(host, old.target)), over=None)
        assert (await ask(stand, host)).backend == "new"
        assert (await router.status()).generation == before
        assert await router.put(routes(environment, "2", route(host, old.target)), over="2")
        assert (await ask(stand, host)).backend == "old"


async def test_maintenance_can_be_switched_on_and_off(stand: Stand, router: Router) -> None:
    environment, host = unique("maintenance")
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.maintenance(environment, on=True)
        assert (await ask(stand, host)).status == 503
        await router.maintenance(environment, on=False)
        assert (await ask(stand, host)).status == 200
        await router.freeze(environment, 30)
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        await router.maintenance(environment, on=True)
        assert (await waiting).status == 503
        await router.switch(routes(environment, "2", route(host, shop.target)))
        assert (await ask(stand, host)).status == 200
        with pytest.raises(RouterRefused, match="not known"):
            await router.maintenance("nobody/main", on=True)


async def test_a_host_belongs_to_one_environment_and_a_refusal_changes_nothing(stand: Stand, router: Router) -> None:
    (mine, host), (other, new_host) = unique("mine"), unique("other")
    async with backend("mine") as shop:
        await router.switch(routes(mine, "1", route(host, shop.target)))
        generation = (await router.status()).generation
        with pytest.raises(RouterRefused, match=f"{host} belongs to the environment {mine}"):
            await router.switch(routes(other, "1", route(new_host, shop.target), route(host, shop.target)))
        assert (await router.status()).generation == generation
        assert (await ask(stand, new_host)).status == 404
        await router.remove(mine)
        await router.remove(mine)
        await router.switch(routes(other, "1", route(host, shop.target)))
        assert (await ask(stand, host)).status == 200


async def test_a_next_freeze_catches_requests_that_are_still_being_released(stand: Stand) -> None:
    environment, host = unique("chain")
    async with (stand.router(pace=1) as router, backend("one", delay_seconds=0.3) as one, backend("two") as two,
                asyncio.TaskGroup() as group):
        await router.switch(routes(environment, "1", route(host, one.target)))
        await router.freeze(environment, 30)
        waiting = [group.create_task(ask(stand, host)) for _ in range(10)]
        await wait_until_held(router, environment, 10)
        await router.thaw(environment)
        await asyncio.sleep(0.5)
        await router.freeze(environment, 30)
        await wait_until_held(router, environment, 6)
        await router.switch(routes(environment, "2", route(host, two.target)))
        assert [(await task).status for task in waiting] == [200] * 10
    assert 1 <= len(one.seen) <= 3
    assert len(one.seen) + len(two.seen) == 10


async def test_without_a_router_nothing_was_switched() -> None:
    with running_router() as found:
        places = found.places
    async with found.router() as router:
        with pytest.raises(RouterAbsent, match="does not listen"):
            await router.look("shop/main")
    assert not places.socket.exists()


async def test_a_kept_alive_client_goes_on_after_a_hold(stand: Stand, router: Router) -> None:
    environment, host = unique("alive")
    async with backend("shop") as shop, aiohttp.ClientSession(headers={"Host": host}) as session:
        await router.switch(routes(environment, "1", route(host, shop.target)))

        async def get() -> int:
            async with session.get(stand.url()) as answer:
                await answer.read()
                return answer.status

        assert await get() == 200
        async with asyncio.TaskGroup() as group:
            for version in ("2", "3"):
                await router.freeze(environment, 30)
                waiting = group.create_task(get())
                await wait_until_held(router, environment, 1)
                await router.switch(routes(environment, version, route(host, shop.target)))
                assert await waiting == 200


async def test_the_status_tells_the_longest_wait_while_somebody_waits(stand: Stand, router: Router) -> None:
    environment, host = unique("longest")
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 30)
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        await asyncio.sleep(0.3)
        assert (await router.status(environments=False)).longest_seconds >= 0.3
        await router.thaw(environment)
        assert (await waiting).status == 200
        assert (await router.status(environments=False)).longest_seconds == 0


async def test_a_release_begins_with_few_and_grows_with_the_answers(stand: Stand) -> None:
    environment, host = unique("slow-start")
    async with (stand.router(pace=64) as router, backend("old") as old, backend("new", delay_seconds=0.4) as new,
                asyncio.TaskGroup() as group):
        await router.switch(routes(environment, "1", route(host, old.target)))
        await router.freeze(environment, 30)
        waiting = [group.create_task(ask(stand, host)) for _ in range(120)]
        await wait_until_held(router, environment, 120)
        await router.switch(routes(environment, "2", route(host, new.target)))
        await asyncio.sleep(0.3)
        assert new.most_under_way == 8
        await asyncio.sleep(0.4)
        assert 8 < new.most_under_way <= 16
        assert {(await task).status for task in waiting} == {200}
    assert 32 < new.most_under_way <= 64


async def test_who_waited_until_the_end_counts_as_the_longest(stand: Stand, router: Router) -> None:
    environment, host = unique("expired")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 0.6)
        assert (await ask(stand, host)).status == 503
        released = await router.thaw(environment)
    assert (released.held, released.expired) == (0, 1)
    assert 0.4 < released.longest_seconds < 1
