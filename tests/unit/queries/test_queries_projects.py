"""Projects as they are told."""

from __future__ import annotations

from pathlib import Path

from tests.support.queries_world import World


async def test_projects_say_where_to_push(world: World) -> None:
    await world.add()
    (shop,) = await world.projects.all()
    assert (shop.git, shop.environments) == ("http://127.0.0.1:8480/git/shop.git", 1)


async def test_a_password_in_the_address_of_a_remote_is_not_shown(tmp_path: Path) -> None:
    remote = {"remote": {"url": "https://bot:hunter2@git.example.com/shop.git"}}
    world = World(tmp_path, projects={"shop": remote})
    try:
        assert (await world.projects.all())[0].remote == "https://git.example.com/shop.git"
    finally:
        world.store.close()
