"""Whatever people do to tickets, in whatever order: nothing passes the gate that nobody let through."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from deployd.activity.journal import Journal
from deployd.environment.naming import Source
from deployd.errors import DeployError
from deployd.ids import ActivityId, EnvironmentId
from deployd.state import activities, entries, locks, tickets
from deployd.state.locks import Lock
from deployd.state.tickets import OPEN
from tests.support.tickets_world import ADA, BOB, EVE, SHOP, TicketsWorld

PEOPLE = (ADA, BOB, EVE)
STEPS = 120
PROTECTED = {"production": {"protected": {
    "approvals": 1, "windows": [{"days": "mon-fri", "from": "06:00", "to": "22:00"}], "expires_hours": 9,
}}}
PLACE: EnvironmentId = Source(SHOP, "production").environment


class Walk:
    """Random deeds, and what has to hold after each of them."""

    def __init__(self, seed: int) -> None:
        self.world, self.chance = TicketsWorld(PROTECTED), random.Random(seed)
        self.ended: dict[int, str] = {}
        self.passed: list[int] = []
        self.running = "r"

    async def go(self) -> None:
        deeds: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (4, self.push), (4, self.promote), (8, self.approve), (1, self.decline), (1, self.withdraw),
            (1, self.emergency), (2, self.schedule), (2, self.lock), (3, self.unlock), (4, self.wait),
            (1, self.change_a_variable), (1, self.merge), (14, self.lane), (6, self.world.rounds.look),
        ]
        weights, choices = [weight for weight, _ in deeds], [deed for _, deed in deeds]
        for _ in range(STEPS):
            with suppress(DeployError):
                await self.chance.choices(choices, weights)[0]()
            await self.holds()
        self.world.store.close()

    async def holds(self) -> None:
        found = await self.world.store.read(lambda db: tickets.latest(db, limit=999))
        waiting = [item for item in found if item.state in ("building", "waiting")]
        assert len(waiting) <= 1
        for item in found:
            activity = await self.world.activity(item.activity)
            assert item.is_open == (item.state in OPEN)
            if item.is_open or not await self.is_cancelled(item.activity):   # then it is undone still
                assert item.is_open == (activity.state in activities.OPEN), (item.state, activity.state)
            before = self.ended.get(item.id, item.state)
            assert before == item.state or item.ended_why.startswith(f"it was live already when it was {before}")
            if not item.is_open:
                self.ended[item.id] = item.state
            if item.state == "done":
                assert item.activity in self.passed
            if activity.held and item.is_open:
                assert item.state == "waiting"

    async def lane(self) -> None:
        """What runs ends; else what is next comes to its gate."""
        world = self.world
        activity = await world.store.read(lambda db: activities.next_of_lane(db, PLACE))
        if activity is None:
            return
        if await self.is_cancelled(activity.id):   # it is heard, but for a switch that was begun just before
            await world.end(activity.id, "success" if activity.id in self.passed and self.chance.random() < 0.3
                            else "cancelled")
            return
        if activity.id in self.passed:
            await world.end(activity.id, self.chance.choice(["success", "success", "failed"]))
            return
        verdict = await world.comes_to_gate(activity.id, running=self.running)
        if verdict.is_open:
            await self.may_pass(activity.id)
            self.passed.append(activity.id)

    async def is_cancelled(self, number: ActivityId) -> bool:
        journal = await self.world.store.read(lambda db: entries.of_activity(db, number))
        return Journal(journal).cancellation() is not None

    async def may_pass(self, number: ActivityId) -> None:
        """Said once more, in another way than the gate says it."""
        world = self.world
        ticket = await world.store.read(lambda db: tickets.of_activity(db, number))
        assert ticket is not None
        assert ticket.commit[0] <= str(world.tips["main"])
        if ticket.emergency_by:
            return
        given = await world.store.read(lambda db: tickets.approvals_of(db, ticket.id))
        assert {item.by.name for item, _ in given if item.digest == ticket.digest} - {ticket.asked_by.name}
        assert await world.store.read(lambda db: locks.find(db, PLACE)) is None
        assert world.now_.weekday() < 5
        assert 6 <= world.now_.hour < 22
        assert ticket.not_before is None or ticket.not_before <= world.now_
        assert world.now_ < ticket.expires_at

    async def push(self) -> None:
        await self.world.push("production", self.chance.randint(1, 9), self.chance.choice(PEOPLE).name)

    async def promote(self) -> None:
        await self.world.promote(self.chance.choice(PEOPLE))

    async def approve(self) -> None:
        ticket = await self._ticket()
        digest = self.chance.choice([ticket.digest, ticket.digest, ticket.digest, "0" * 32, ""])
        await self.world.commands.approve(ticket.id, digest, self.chance.choice(PEOPLE), "")

    async def decline(self) -> None:
        await self.world.commands.decline((await self._ticket()).id, BOB, "no")

    async def withdraw(self) -> None:
        await self.world.commands.withdraw((await self._ticket()).id, self.chance.choice(PEOPLE), "")

    async def emergency(self) -> None:
        await self.world.commands.open_for_emergency((await self._ticket()).id, EVE, "it burns")

    async def schedule(self) -> None:
        at = None if self.chance.random() < 0.5 else self.world.now_.replace(hour=self.chance.randint(0, 23))
        await self.world.commands.schedule(
            (await self._ticket()).id, at, ADA, is_approver=self.chance.random() < 0.5,
        )

    async def lock(self) -> None:
        await self.world.store.write(lambda db: locks.put(db, Lock(PLACE, "eve", "the sale", self.world.now_)))

    async def unlock(self) -> None:
        await self.world.store.write(lambda db: (locks.remove(db, PLACE), activities.release(db, PLACE)))

    async def wait(self) -> None:
        self.world.later(hours=self.chance.randint(1, 12))

    async def change_a_variable(self) -> None:
        self.running = str(self.chance.random())

    async def merge(self) -> None:
        self.world.tips["main"] = self.chance.randint(3, 9)

    async def _ticket(self) -> tickets.Ticket:
        found = await self.world.store.read(lambda db: tickets.latest(db, limit=3))
        if not found:
            raise DeployError("there is none yet")
        one: tickets.Ticket = self.chance.choice(found)
        return one


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_passes_the_gate_that_nobody_let_through(seed: int) -> None:
    walk = Walk(seed)
    await walk.go()


async def test_walks_come_to_every_end() -> None:
    """Else they would show little."""
    ends: set[str] = set()
    for seed in range(20, 40):
        walk = Walk(seed)
        await walk.go()
        ends |= set(walk.ended.values())
    assert ends >= {"done", "failed", "declined", "withdrawn", "expired", "superseded"}
