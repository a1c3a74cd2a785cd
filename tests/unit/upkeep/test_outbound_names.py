"""Host names of outbound rules are kept with the addresses that they lead to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from deployd.public_addresses import Address, parse_opening
from deployd.upkeep.outbound_names import (
    ASK_SECONDS,
    AT_ONCE,
    KEEP_SECONDS,
    LIMIT_SECONDS,
    MOST_ADDRESSES,
    MOST_LEARNED,
    SILENT_AT_ONCE,
    OutboundNames,
    SystemResolver,
)

A = "a.example"


class World:
    def __init__(self, folder: Path, *opened: str) -> None:
        self.answers: dict[str, Sequence[str] | Exception] = {}
        self.asked: list[str] = []
        self.seconds = 0.0
        self.file = folder / "names.json"
        self.openings = tuple(map(parse_opening, opened))
        self.names = self.begin()

    def begin(self) -> OutboundNames:
        return OutboundNames(self.file, self.openings, self.ask, lambda: self.seconds)

    async def ask(self, name: str, answered: bool | None) -> Sequence[Address]:
        self.asked.append(name)
        found = self.answers.get(name, ())
        if isinstance(found, Exception):
            raise found
        return [ip_address(text) for text in found]

    def leads_to(self, name: str = A) -> list[str]:
        return [str(address) for address in self.names.addresses().get(name, ())]


async def test_an_address_counts_for_an_hour_after_the_last_answer_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answers[A] = ["203.0.113.1", "2a00::1"]
    assert await world.names.refresh({A})
    world.answers[A] = ["203.0.113.2"]
    world.seconds += ASK_SECONDS
    assert await world.names.refresh({A})
    assert world.leads_to() == ["203.0.113.2", "203.0.113.1", "2a00::1"]
    world.seconds += KEEP_SECONDS - ASK_SECONDS
    assert await world.names.refresh({A})
    assert world.leads_to() == ["203.0.113.2"]


async def test_a_name_is_asked_again_when_its_turn_comes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answers[A] = ["203.0.113.1"]
    for _ in range(3):
        await world.names.refresh({A})
        world.seconds += ASK_SECONDS / 2
    assert world.asked == [A, A]


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.100.100.200", "0.0.0.0", "224.0.0.1", "::1",
    "fd00:ec2::254", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
])
async def test_a_name_that_is_pointed_at_this_hosts_networks_leads_nowhere(tmp_path: Path, address: str) -> None:
    world = World(tmp_path)
    world.answers[A] = [address]
    assert await world.names.learn({A}) == (A,)
    assert world.leads_to() == []


async def test_what_the_operator_opened_counts(tmp_path: Path) -> None:
    world = World(tmp_path, "10.0.0.0/24")
    world.answers[A] = ["10.0.0.7", "10.0.1.7"]
    assert await world.names.learn({A}) == ()
    assert world.leads_to() == ["10.0.0.7"]


async def test_a_name_without_an_answer_keeps_what_it_has_and_a_name_that_is_gone_does_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answers[A] = ["203.0.113.1"]
    await world.names.refresh({A})
    world.answers[A] = OSError("nobody answers")
    world.seconds += 2 * KEEP_SECONDS
    assert not await world.names.refresh({A})
    assert world.leads_to() == ["203.0.113.1"]
    world.answers[A] = []
    world.seconds += 2 * ASK_SECONDS
    assert await world.names.refresh({A})
    assert world.leads_to() == []


async def test_a_name_with_more_addresses_than_anybody_has_is_bounded_and_the_newest_stay(tmp_path: Path) -> None:
    world = World(tmp_path)
    for turn in range(3):
        world.answers[A] = [f"203.{turn}.0.{number}" for number in range(50)]
        await world.names.refresh({A})
        world.seconds += ASK_SECONDS
    assert len(world.leads_to()) == MOST_ADDRESSES
    assert {f"203.2.0.{number}" for number in range(50)} < set(world.leads_to())


async def test_a_daemon_that_comes_back_knows_them_and_one_with_a_broken_file_asks(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answers[A] = ["203.0.113.1"]
    await world.names.learn({A})
    world.names = world.begin()
    assert world.leads_to() == ["203.0.113.1"]
    world.file.write_text("[{")
    world.names = world.begin()
    assert world.leads_to() == []
    assert await world.names.learn({A}) == ()


async def test_what_nobody_wants_is_forgotten_after_the_time_of_a_deployment(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answers[A] = ["203.0.113.1"]
    await world.names.learn({A})
    await world.names.refresh(())
    assert world.leads_to() == ["203.0.113.1"]
    world.seconds += KEEP_SECONDS + 1
    await world.names.refresh(())
    assert world.leads_to() == []


async def test_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.file.with_suffix(".new").mkdir()
    world.answers[A] = ["203.0.113.1"]
    assert await world.names.learn({A}) == ()


@pytest.mark.looptime
async def test_a_name_server_that_never_answers_holds_nobody_up(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def never(name: str, answered: bool | None) -> Sequence[Address]:
        if name == A:
            await asyncio.Event().wait()
        return [ip_address("203.0.113.9")]

    names = OutboundNames(tmp_path / "other.json", (), never, lambda: world.seconds)
    began = asyncio.get_running_loop().time()
    assert await names.learn({A, "b.example"}) == (A,)
    assert asyncio.get_running_loop().time() - began == LIMIT_SECONDS


@pytest.mark.looptime
async def test_thousands_of_names_that_nobody_answers_for_do_not_make_a_round_long(tmp_path: Path) -> None:
    async def asked(name: str, answered: bool | None) -> Sequence[Address]:
        if name != A:
            await asyncio.Event().wait()
        return [ip_address("203.0.113.9")]

    loop = asyncio.get_running_loop()
    names = OutboundNames(tmp_path / "other.json", (), asked, loop.time)
    silent = {f"{number}.example" for number in range(5000)}
    await names.learn({A})
    for _ in range(20):
        await names.refresh({A, *silent})
        assert loop.time() - names._asked[A] <= ASK_SECONDS + SILENT_AT_ONCE / AT_ONCE * LIMIT_SECONDS
        await asyncio.sleep(1)
    assert len(names._asked) > 10 * SILENT_AT_ONCE, "and each of them has its turn"


async def test_a_deployment_waits_for_no_more_names_than_somebody_needs_and_for_none_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    silent = {f"{number}.example" for number in range(2 * MOST_LEARNED)}
    world.answers |= dict.fromkeys(silent, OSError("nobody answers"))
    await world.names.learn(silent)
    assert len(world.asked) == MOST_LEARNED
    await world.names.learn(world.asked[:])
    assert len(world.asked) == MOST_LEARNED, "their turn has not come"


async def test_a_name_that_nobody_answers_for_is_asked_less_and_less(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.answers[A] = OSError("nobody answers")
    for _ in range(100):
        await world.names.refresh({A})
        world.seconds += ASK_SECONDS
    assert len(world.asked) == 6   # in the turns 0, 2, 6, 14, 30 and 62; one that is new is asked at once
    world.answers["b.example"] = ["203.0.113.1"]
    await world.names.refresh({A, "b.example"})
    assert world.leads_to("b.example") == ["203.0.113.1"]


@pytest.mark.parametrize("error", [OSError("x"), TimeoutError(), ValueError("no address"), RuntimeError("no thread")])
async def test_what_goes_wrong_with_one_name_is_its_own_affair(tmp_path: Path, error: Exception) -> None:
    world = World(tmp_path)
    world.answers |= {A: error, "b.example": ["203.0.113.1"]}
    assert await world.names.learn({A, "b.example"}) == (A,)
    assert world.leads_to("b.example") == ["203.0.113.1"]


@pytest.mark.parametrize(("answer", "expected"), [
    ([("203.0.113.1", 1), ("203.0.113.1", 2), ("2a00::1", 1, 0, 0), ("fe80::1%eth0", 1, 0, 2)],
     ["203.0.113.1", "2a00::1", "fe80::1"]),
    (socket.gaierror(socket.EAI_NONAME, "no such name"), []),
    (socket.gaierror(socket.EAI_AGAIN, "nobody answers"), OSError),
    (UnicodeError("label too long"), []),
])
async def test_the_hosts_resolver_tells_no_such_name_from_no_answer(
    monkeypatch: pytest.MonkeyPatch, answer: Any, expected: Any,
) -> None:
    def asked(name: str, *_: object, **__: object) -> list[Any]:
        assert name == "a.example.", "no search domain of the host's"
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in answer]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    if expected is OSError:
        with pytest.raises(OSError, match="nobody answers"):
            await SystemResolver().ask(A, True)
    else:
        assert [str(address) for address in await SystemResolver().ask(A, False)] == expected


async def test_names_that_nobody_answers_for_hold_up_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def asked(name: str, *_: object, **__: object) -> list[Any]:
        if name.startswith("slow"):
            let_go.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.1", 1))]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    resolver = SystemResolver()
    slow = [asyncio.ensure_future(resolver.ask(f"slow{number}.example", False)) for number in range(2 * AT_ONCE)]
    for answered in (True, None):
        assert [str(address) for address in await resolver.ask(A, answered)] == ["203.0.113.1"]
    let_go.set()
    assert len(await asyncio.gather(*slow)) == 2 * AT_ONCE, "and each has its turn"
