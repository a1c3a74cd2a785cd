"""Who there is: taken in, changed, gone; tokens and keys; and what it is refused with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployd.access.caller import OPERATOR, Caller
from deployd.access.directory import Directory
from deployd.access.errors import Forbidden, NotFound
from deployd.access.giving import refuse_to_credential, refuse_to_give
from deployd.access.people import PersonUnusable, PublicKeyUnusable
from deployd.access.roles import EVERY, Role
from deployd.commands.people import MOST_OF_ONE, AlreadyThere, PeopleCommands
from deployd.ids import ProjectId
from deployd.settings import Token
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea anna@laptop"


class Clock:
    def now(self) -> datetime:
        return NOW


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.people, self.directory = self.daemon()

    def daemon(self) -> tuple[PeopleCommands, Directory]:
        tokens = [Token.model_validate({"name": "robot", "secret": "secret-of-robot"})]
        directory = Directory(tokens, Clock().now)
        projects: Any = {ProjectId("shop"): None, ProjectId("blog"): None}
        return PeopleCommands(self.store, directory, Clock(), projects), directory   # type: ignore[arg-type]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.store.close()


async def anna(world: World, **roles: Role) -> None:
    await world.people.add("anna", "Anna Smith", "anna@example.com", roles or {"shop": Role.CONTRIBUTOR})


async def test_a_person_with_a_token_and_a_key_outlives_the_daemon_and_the_secret_is_not_kept(world: World) -> None:
    await anna(world)
    _, secret = await world.people.add_token("anna", "laptop")
    key = await world.people.add_key("anna", "", LINE)
    assert key.label == "anna@laptop"
    people, directory = world.daemon()
    assert directory.by_secret(secret) is None
    await people.load()
    found = directory.by_secret(secret)
    assert found is not None
    assert found.caller == Caller("anna", {"shop": Role.CONTRIBUTOR}, "laptop", "anna")
    assert directory.by_key(key.blob) == Caller("anna", {"shop": Role.CONTRIBUTOR}, "anna@laptop", "anna")
    assert secret not in "\n".join(world.store.db.iterdump())


async def test_who_leaves_has_nothing_any_more_and_comes_back_without_it(world: World) -> None:
    await anna(world)
    _, secret = await world.people.add_token("anna", "laptop")
    key = await world.people.add_key("anna", "", LINE)
    await world.people.leave("anna")
    assert world.directory.by_secret(secret) is None
    assert world.directory.by_key(key.blob) is None
    with pytest.raises(PersonUnusable, match="anna has left"):
        await world.people.add_token("anna", "new")
    with pytest.raises(AlreadyThere, match="they left"):
        await anna(world)
    await world.people.come_back("anna")
    assert world.directory.by_secret(secret) is None
    _, anew = await world.people.add_token("anna", "laptop")
    assert world.directory.by_secret(anew) is not None


async def test_a_role_counts_from_the_next_request_on(world: World) -> None:
    await anna(world)
    _, secret = await world.people.add_token("anna", "laptop", role=Role.APPROVER)
    await world.people.change("anna", roles={"blog": Role.ADMIN, "shop": None})
    found = world.directory.by_secret(secret)
    assert found is not None
    assert found.caller.roles == {"blog": Role.APPROVER}


async def test_what_was_removed_is_good_for_nothing(world: World) -> None:
    await anna(world)
    _, secret = await world.people.add_token("anna", "laptop")
    await world.people.remove_token("anna", "laptop")
    assert world.directory.by_secret(secret) is None
    key = await world.people.add_key("anna", "work", LINE)
    await world.people.remove_key("anna", key.fingerprint)
    assert not world.directory.knows_key(key.blob)
    for remove in (world.people.remove_token("anna", "laptop"), world.people.remove_key("anna", "work")):
        with pytest.raises(NotFound) as caught:
            await remove
        assert "it may have been removed already" in caught.value.hint


@pytest.mark.parametrize("id_", ["", "Anna", "anna smith", "-anna", "anna.", "a" * 41, "ännä", "../x", "anna\n"])
async def test_an_id_has_to_be_a_word(world: World, id_: str) -> None:
    with pytest.raises(PersonUnusable, match="cannot be the id of a person"):
        await world.people.add(id_, "Anna", "", {})


@pytest.mark.parametrize(("name", "email", "roles", "said"), [
    ("Anna\x1b[31m", "", {}, "the name cannot be shown"), ("A" * 101, "", {}, "the name cannot be shown"),
    ("Anna", "anna", {}, "no address"), ("Anna", "a@b <x@y>", {}, "no address"),
    ("Anna", "", {"nothing": Role.VIEWER}, "there is no project nothing"),
])
async def test_what_cannot_be_taken_is_named(
    world: World, name: str, email: str, roles: dict[str, Role], said: str,
) -> None:
    with pytest.raises(PersonUnusable, match=said):
        await world.people.add("anna", name, email, roles)
    assert world.directory.people.persons == ()


@pytest.mark.parametrize("id_", ["anna", "robot", "operator", "deployd"])
async def test_nobody_gets_the_name_of_somebody_else(world: World, id_: str) -> None:
    await anna(world)
    with pytest.raises(AlreadyThere):
        await world.people.add(id_, "", "", {})


async def test_a_key_is_one_persons(world: World) -> None:
    await anna(world)
    await world.people.add("bert", "", "", {})
    await world.people.add_key("anna", "work", LINE)
    with pytest.raises(AlreadyThere, match="another person's"):
        await world.people.add_key("bert", "mine", LINE)
    with pytest.raises(AlreadyThere, match="anna has a key work already"):
        await world.people.add_key("anna", "work", LINE)
    with pytest.raises(PublicKeyUnusable):
        await world.people.add_key("bert", "mine", "ssh-dss AAAA")


async def test_tokens_are_bounded_in_number_and_time(world: World) -> None:
    await anna(world)
    for days in (0, -1, 3651):
        with pytest.raises(PersonUnusable, match="cannot last"):
            await world.people.add_token("anna", "laptop", days=days)
    made, _ = await world.people.add_token("anna", "laptop", days=1)
    assert made.ends == NOW + timedelta(days=1)
    for number in range(MOST_OF_ONE - 1):
        await world.people.add_token("anna", f"more {number}", days=None)
    with pytest.raises(AlreadyThere, match="no more are taken"):
        await world.people.add_token("anna", "one more")


async def test_uses_are_written_down(world: World) -> None:
    await anna(world)
    _, secret = await world.people.add_token("anna", "laptop")
    world.directory.by_secret(secret, "192.0.2.7")
    await world.people.write_uses()
    used = world.directory.people.tokens[0]
    assert (used.used, used.used_from) == (NOW, "192.0.2.7")


@pytest.mark.parametrize("taken", ["role", "all"])
async def test_who_changes_their_name_while_they_lose_a_role_or_leave_keeps_neither(world: World, taken: str) -> None:
    await anna(world, shop=Role.ADMIN)
    write = world.store.write

    async def slowly(query: Any) -> Any:
        await asyncio.sleep(0)
        return await write(query)

    world.store.write = slowly   # type: ignore[method-assign]
    people = world.people
    loses = people.leave("anna") if taken == "all" else people.change("anna", roles={"shop": Role.VIEWER})
    with suppress(PersonUnusable):
        await asyncio.gather(loses, people.change("anna", name="Anna Jones"), people.add_token("anna", "kept"))
    found, tokens = people.find("anna"), world.directory.people.tokens
    if taken == "all":
        assert (found.left, tokens) == (NOW, ())
    else:
        assert (found.name, dict(found.roles), len(tokens)) == ("Anna Jones", {"shop": Role.VIEWER}, 1)


async def test_an_admin_who_loses_the_role_gives_it_back_to_nobody_by_requests_that_wait(world: World) -> None:
    await anna(world, shop=Role.ADMIN)
    _, secret = await world.people.add_token("anna", "laptop")
    seen = world.directory.by_secret(secret)
    assert seen is not None
    people, by = world.people, seen.caller
    refuse_to_give(by, {"shop": Role.ADMIN})   # as a request is let in that waits from then on
    await people.change("anna", roles={"shop": Role.VIEWER})
    for late in (
        people.change("anna", roles={"shop": Role.ADMIN}, by=by),
        people.add("bert", "", "", {"shop": Role.ADMIN}, by=by), people.come_back("anna", by=by),
    ):
        with pytest.raises(Forbidden, match="was changed just now"):
            await late
    assert dict(people.find("anna").roles) == {"shop": Role.VIEWER}
    now = world.directory.by_secret(secret)
    assert now is not None
    assert (await people.change("anna", name="Anna Jones", by=now.caller)).name == "Anna Jones"
    await people.leave("anna")
    with pytest.raises(Forbidden):
        await people.change("anna", name="Anna Smith", by=now.caller)


async def test_who_may_make_what(world: World) -> None:
    await anna(world, shop=Role.ADMIN)
    whole = Caller("anna", {"shop": Role.ADMIN}, "laptop", "anna")
    lesser = Caller("anna", {"shop": Role.VIEWER}, "reader", "anna")
    people = world.people
    refuse_to_credential(whole, people.find("anna"))
    refuse_to_credential(lesser, people.find("anna"), Role.VIEWER)
    refuse_to_credential(OPERATOR, people.find("anna"))
    bert, robot = Caller("bert", {}, "", "bert"), Caller("anna", {EVERY: Role.VIEWER})
    for caller, role in ((lesser, Role.ADMIN), (lesser, Role.CONTRIBUTOR), (bert, Role.VIEWER), (robot, Role.VIEWER)):
        with pytest.raises(Forbidden):
            refuse_to_credential(caller, people.find("anna"), role)
    refuse_to_give(whole, {"shop": Role.ADMIN})
    for roles in ({EVERY: Role.VIEWER}, {"blog": None}, {"shop": Role.VIEWER, "blog": Role.VIEWER}):
        with pytest.raises(Forbidden, match="is no admin of"):
            refuse_to_give(whole, roles)


@pytest.mark.parametrize(("role", "projects"), [
    (Role.ADMIN, ("shop",)), (Role.VIEWER, (EVERY,)), (Role.VIEWER, ("blog",)), (Role.VIEWER, ("shop", "blog")),
])
async def test_a_token_makes_none_that_could_do_more_once_its_owner_becomes_more(
    world: World, role: Role, projects: tuple[str, ...],
) -> None:
    """Of somebody who may only look: today the new one would do what the old one does."""
    await anna(world, shop=Role.VIEWER)
    _, secret = await world.people.add_token("anna", "reader", role=Role.VIEWER, projects=("shop",))
    stolen = world.directory.by_secret(secret)
    assert stolen is not None
    refuse_to_credential(stolen.caller, world.people.find("anna"), Role.VIEWER, ("shop",))
    with pytest.raises(Forbidden, match="may do less"):
        refuse_to_credential(stolen.caller, world.people.find("anna"), role, projects)
    with pytest.raises(Forbidden, match="may do less"):
        refuse_to_credential(stolen.caller, world.people.find("anna"))   # a key does all that its owner may
