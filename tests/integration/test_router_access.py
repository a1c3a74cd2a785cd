"""Who may see an environment, and how much one client may ask for."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter

import pytest

from deployd.process import run
from deployd.project.model import RouteCache
from deployd.router.control import Router
from deployd.router.table import Access, AddressRule
from tests.support.router_stand import Stand, ask, backend, route, router, routes, running_router, stand, unique

__all__ = ["router", "stand"]


def basic(name: str, password: str) -> str:
    return f"Authorization: Basic {b64encode(f'{name}:{password}'.encode()).decode()}\r\n"


async def hashed(password: str) -> str:
    return (await run("openssl", "passwd", "-6", password)).text.strip()


async def test_a_name_and_its_password_open_an_environment_and_are_not_told_to_it(stand: Stand, router: Router) -> None:
    environment, host = unique("password")
    access = Access({"ada": await hashed("lovelace:1815")})
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target), access=access))
        closed = await ask(stand, host, headers="Accept: text/html\r\n")
        assert (closed.status, b"asks for a password" in closed.body) == (401, True)
        assert closed.headers["www-authenticate"].startswith("Basic ")
        for wrong in (basic("ada", "x"), basic("eve", "lovelace:1815"), basic("ada", ""), "Authorization: Basic !\r\n",
                      "Authorization: Bearer x\r\n", basic("ada", "lovelace:1815\0")):
            assert (await ask(stand, host, headers=wrong)).status == 401, wrong
        assert shop.seen == []
        for _ in range(2):
            assert (await ask(stand, host, headers=basic("ada", "lovelace:1815"))).status == 200
    assert "Authorization" not in shop.seen[0]["headers"]


async def test_who_guesses_is_stopped_and_others_at_the_same_address_are_not(router: Router) -> None:
    access = Access({"ada": await hashed("right"), "bob": await hashed("other")})
    with running_router(workers=1) as fresh:
        async with fresh.router() as own, backend("shop") as shop:
            await own.switch(routes("shop/main", "1", route("a.test", shop.target), access=access))
            assert (await ask(fresh, "a.test", headers=basic("ada", "right"))).status == 200
            found = [(await ask(fresh, "a.test", headers=basic("ada", f"guess {n}"))).status for n in range(25)]
            assert Counter(found) == {401: 20, 429: 5}
            assert (await ask(fresh, "a.test", headers=basic("bob", "other"))).status == 429
            assert (await ask(fresh, "a.test", headers=basic("ada", "right"))).status == 200


@pytest.mark.parametrize(("rules", "status"), [
    ((AddressRule(True, "127.0.0.0/8"),), 200),
    ((AddressRule(True, "126.0.0.0/7"),), 200),
    ((AddressRule(True, "127.0.0.1/32"),), 200),
    ((AddressRule(True, "127.0.0.2/32"),), 403),
    ((AddressRule(True, "::/0"),), 403),
    ((AddressRule(False, "192.0.2.0/24"),), 200),
    ((AddressRule(False, "127.0.0.1/32"), AddressRule(True, "0.0.0.0/0")), 403),
    ((AddressRule(True, "127.0.0.1/32"), AddressRule(False, "0.0.0.0/0")), 200),
])
async def test_the_first_rule_that_fits_an_address_counts(
    stand: Stand, router: Router, rules: tuple[AddressRule, ...], status: int,
) -> None:
    environment, host = unique("address")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target), access=Access(rules=rules)))
        forged = "X-Forwarded-For: 192.0.2.1\r\nX-Client-IP: 127.0.0.1\r\n"
        assert (await ask(stand, host, headers=forged)).status == status


async def test_the_cache_and_a_freeze_do_not_let_anybody_in(stand: Stand, router: Router) -> None:
    environment, host = unique("closed")
    async with backend("shop") as shop:
        found = route(host, shop.target, cache=RouteCache(default_ttl_seconds=60))
        await router.switch(routes(environment, "1", found, access=Access({"ada": await hashed("x")})))
        known = basic("ada", "x")
        seen = [(await ask(stand, host, headers=known)).headers["x-platform-cache"] for _ in range(2)]
        assert seen == ["MISS", "HIT"]
        assert (await ask(stand, host)).status == 401
        await router.freeze(environment, 30)
        assert (await ask(stand, host, limit_seconds=5)).status == 401
        await router.thaw(environment)


async def test_one_client_may_ask_for_so_much_and_no_more() -> None:
    async def many(stand: Stand, count: int) -> Counter[int]:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(stand, "a.test")) for _ in range(count)]
        return Counter([task.result().status for task in asked])

    for settings, most in (
        ({"client_requests_per_second": 1, "client_burst": 10}, 20),
        ({"client_connections": 10}, 10),
        ({"client_connections": 10, "client_exempt": ("127.0.0.0/8",)}, 30),
    ):
        with running_router(**settings) as limited:
            async with limited.router() as own, backend("shop", delay_seconds=1.0) as shop:
                await own.switch(routes("shop/main", "1", route("a.test", shop.target)))
                found = await many(limited, 30)
            assert found[200] <= most, settings
            assert found[200] + found[429] == 30
            assert found[200] >= min(most, 10), settings
