"""Passes: a link for each host of what is live."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployd.queries.versions import NothingLive
from deployd.router.paths import RouterPlaces
from deployd.state import environments
from tests.support.commands_world import NOW, SHOP_MAIN, World, version


async def test_a_pass_has_a_link_for_each_host_of_what_is_live(world: World) -> None:
    key = RouterPlaces(world.run).pass_key
    key.parent.mkdir(parents=True)
    key.write_bytes(b"key")
    routes = ("http://a.test/", "http://*.a.test/", "http://a.test/blog/", "https://b.test:8443/")
    await world.went_live(replace(version("a"), routes=routes))
    made = await world.passes.make("shop", "main", "ada")
    assert [link.partition("?")[0] for link in made.links] == [
        "http://a.test/.well-known/deployd/pass", "https://b.test:8443/.well-known/deployd/pass",
    ]


async def test_nobody_passes_where_nothing_is_live(world: World) -> None:
    await world.store.write(lambda db: environments.ensure(db, SHOP_MAIN, "main", NOW))
    with pytest.raises(NothingLive, match="nobody waits there"):
        await world.passes.make("shop", "main", "ada")
