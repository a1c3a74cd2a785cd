"""Browsers that are signed in: how long, as whom, and until when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployd.access.caller import EVERY, Caller
from deployd.access.cookies import make_cookie
from deployd.access.directory import Directory
from deployd.access.errors import NotFound
from deployd.access.roles import Role
from deployd.commands.sessions import LIFETIME, MOST_OF_ONE, UNUSED, Sessions, TokenWrong
from deployd.settings import Settings
from deployd.state import audit, sessions
from tests.doubles.store import MemoryStore

ADA = {"name": "ada", "role": "contributor", "secret": "the-secret-of-ada", "projects": ["shop"]}
BOB = {"name": "bob", "role": "viewer", "secret": "the-secret-of-bob"}


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def later(self, by: timedelta) -> None:
        self.moment += by


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.store, self.clock = folder, MemoryStore(), Clock()
        self.sessions = self.daemon(ADA, BOB)

    def daemon(self, *tokens: dict[str, Any]) -> Sessions:
        settings = Settings.model_validate({"directory": str(self.folder), "tokens": tokens})
        return Sessions(self.store, Directory(settings.tokens, self.clock.now), self.clock)   # type: ignore[arg-type]

    async def sign_in(self, secret: str = "the-secret-of-ada") -> str:
        cookie, _ = await self.sessions.sign_in(secret, "203.0.113.7", "Firefox")
        return cookie


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


async def test_a_cookie_stands_for_the_token_that_was_shown(world: World) -> None:
    cookie = await world.sign_in()
    assert world.sessions.caller(cookie) == Caller("ada", {"shop": Role.CONTRIBUTOR})
    assert world.sessions.caller(await world.sign_in("the-secret-of-bob")) == Caller("bob", {EVERY: Role.VIEWER})
    for other in (make_cookie(), "", cookie[:-1] + ("A" if cookie[-1] != "A" else "B")):
        assert world.sessions.caller(other) is None


async def test_neither_the_cookie_nor_the_token_lies_in_the_database(world: World) -> None:
    cookie = await world.sign_in()
    text = "\n".join(world.store.db.iterdump())
    assert "ada" in text
    assert cookie not in text
    assert "the-secret-of-ada" not in text


@pytest.mark.parametrize("secret", ["", "wrong", "the-secret-of-ad", "the-secret-of-ada ", "\udcff"])
async def test_a_wrong_token_signs_nobody_in(world: World, secret: str) -> None:
    with pytest.raises(TokenWrong):
        await world.sign_in(secret)
    assert sessions.list_all(world.store.db) == []


async def test_a_session_outlives_the_daemon_and_not_its_token(world: World) -> None:
    cookie = await world.sign_in()
    again = world.daemon(ADA, BOB)
    assert again.caller(cookie) is None, "before it has read them"
    await again.load()
    assert again.caller(cookie) is not None
    for tokens in ([BOB], [{**ADA, "secret": "another-secret-of-ada"}, BOB]):
        changed = world.daemon(*tokens)
        await changed.load()
        assert changed.caller(cookie) is None
    lesser = world.daemon({**ADA, "role": "viewer", "projects": ["blog"]})
    await lesser.load()
    assert lesser.caller(cookie) == Caller("ada", {"blog": Role.VIEWER}), "what the token may now"


async def test_a_session_ends_by_its_time_and_when_nobody_uses_it(world: World) -> None:
    used, unused = await world.sign_in(), await world.sign_in()
    for _ in range(int(LIFETIME / UNUSED) + 1):
        world.clock.later(UNUSED - timedelta(hours=1))
        if world.sessions.caller(used) is None:
            break
        await world.sessions.write_down()
    else:
        pytest.fail("it never ends")
    assert world.clock.moment >= datetime(2026, 5, 4, 10, 0, tzinfo=UTC) + LIFETIME
    assert world.sessions.caller(unused) is None
    await world.sessions.write_down()
    assert sessions.list_all(world.store.db) == []


async def test_one_can_be_ended_by_whom_it_belongs_to(world: World) -> None:
    cookie, other = await world.sign_in(), await world.sign_in()
    session = world.sessions.find(cookie)
    assert session is not None
    with pytest.raises(NotFound):
        await world.sessions.end(session.id, "bob")
    await world.sessions.end(session.id, "ada")
    assert world.sessions.caller(cookie) is None
    assert world.sessions.caller(other) is not None
    with pytest.raises(NotFound):
        await world.sessions.end(session.id, "ada")
    assert [(entry.deed.who, entry.deed.action) for entry in audit.newest(world.store.db)] == [
        ("ada", "sign-out"), ("ada", "sign-in"), ("ada", "sign-in"),
    ]


async def test_a_token_has_so_many_sessions_and_the_one_unused_for_longest_goes(world: World) -> None:
    first = await world.sign_in()
    for _ in range(MOST_OF_ONE - 1):
        world.clock.later(timedelta(minutes=1))
        await world.sign_in()
    assert world.sessions.caller(first) is not None
    await world.sessions.write_down()   # it was used just now
    await world.sign_in()
    assert len(world.sessions.of("ada")) == MOST_OF_ONE == len(sessions.list_all(world.store.db))
    assert world.sessions.caller(first) is not None
