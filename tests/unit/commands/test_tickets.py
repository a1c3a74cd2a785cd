"""Tickets from the wish to the end: who approves what, what voids it, and what never becomes live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from deployd.access.directory import Directory
from deployd.access.errors import Forbidden, NotFound
from deployd.access.roles import Role
from deployd.commands.people import PeopleCommands
from deployd.commands.tickets import Asking, OfferChanged
from deployd.environment.naming import Source
from deployd.errors import DeployError, Unusable
from deployd.ids import ActivityId, EnvironmentId
from deployd.promotion.people import Person
from deployd.queries.tickets import NothingToPromote, NotProtected
from deployd.release.tickets import NotMerged, TicketEnded
from deployd.state import activities, locks, tickets
from deployd.state.locks import Lock
from tests.support.tickets_world import ADA, BOB, BY_STAGES, EVE, NOW, TicketsWorld, commit


@pytest.fixture
def world() -> Iterator[TicketsWorld]:
    made = TicketsWorld()
    yield made
    made.store.close()


@pytest.fixture
def staged() -> Iterator[TicketsWorld]:
    made = TicketsWorld(BY_STAGES)
    yield made
    made.store.close()


async def waiting(world: TicketsWorld, **more: Any) -> tuple[int, str]:
    """(ticket, digest) of one that is built and waits."""
    made = await world.promote(**more)
    assert not (await world.comes_to_gate(made.activity)).is_open
    found = await world.ticket(made.id)
    assert (found.state, (await world.activity(made.activity)).state) == ("waiting", "pending")
    return found.id, found.digest


async def test_a_promotion_is_built_waits_is_approved_and_is_live_once(world: TicketsWorld) -> None:
    number, digest = await waiting(world)
    assert world.fetched == 1
    done = await world.commands.approve(number, digest, BOB, "well done")
    assert [(item.who, item.counts) for item in done.approvals] == [("bob", True)]
    assert (await world.comes_to_gate(done.activity)).is_open
    assert (await world.ticket(number)).state == "passed"
    await world.end(done.activity, "success")
    assert (await world.ticket(number)).state == "done"
    for again in (world.commands.approve(number, digest, EVE, ""), world.commands.decline(number, EVE, "no")):
        with pytest.raises(TicketEnded):
            await again
    with pytest.raises(NothingToPromote, match="live on production already"):
        await world.promote()


async def test_who_asked_does_not_approve_and_nobody_approves_twice(world: TicketsWorld) -> None:
    world.protect({"production": {"protected": {"approvals": 2}}})
    number, digest = await waiting(world)
    for own in (ADA, Person("ada"), Person("Ada")):
        with pytest.raises(Forbidden, match="asked for it"):
            await world.commands.approve(number, digest, own, "")
    for _ in range(2):
        found = await world.commands.approve(number, digest, BOB, "")
    assert [item.what for item in found.obstacles] == ["production has 1 of 2 approvals"]
    assert (await world.activity(found.activity)).held


async def test_an_author_does_not_approve_where_that_is_wanted(world: TicketsWorld) -> None:
    world.protect({"production": {"protected": {"approvals": 1, "approvers_other_than_authors": True}}})
    made = await world.promote()
    await world.comes_to_gate(made.activity, authors=("Bob <bob@shop.test>",))
    digest = (await world.ticket(made.id)).digest
    with pytest.raises(Forbidden, match="authors do not approve"):
        await world.commands.approve(made.id, digest, Person("b", "b", ("Robert", "BOB@shop.test")), "")
    assert (await world.commands.approve(made.id, digest, EVE, "")).obstacles == ()


@pytest.mark.parametrize("digest", ["", "0" * 32])
async def test_an_old_page_approves_nothing(world: TicketsWorld, digest: str) -> None:
    number, _ = await waiting(world)
    with pytest.raises(OfferChanged):
        await world.commands.approve(number, digest, BOB, "")
    assert (await world.ticket(number)).approvals == ()


async def test_nothing_is_approved_before_it_is_built(world: TicketsWorld) -> None:
    made = await world.promote()
    with pytest.raises(OfferChanged, match="is built still"):
        await world.commands.approve(made.id, "", BOB, "")


async def test_a_changed_variable_or_another_live_version_voids_the_approvals(world: TicketsWorld) -> None:
    number, digest = await waiting(world)
    done = await world.commands.approve(number, digest, BOB, "")
    assert not (await world.comes_to_gate(done.activity, running="another variable")).is_open
    found = await world.ticket(number)
    assert found.digest != digest
    assert [(item.who, item.counts) for item in found.approvals] == [("bob", False)]
    with pytest.raises(OfferChanged):   # the page of then, pressed once more
        await world.commands.approve(number, digest, EVE, "")
    assert (await world.commands.approve(number, found.digest, BOB, "")).obstacles == ()


async def test_a_newer_push_or_promotion_takes_the_place_of_one_that_waits_or_was_just_approved(
    world: TicketsWorld,
) -> None:
    number, digest = await waiting(world)
    done = await world.commands.approve(number, digest, BOB, "")   # let go on, and not begun yet
    pushed = await world.push("production", 2, "eve")
    assert (await world.ticket(number)).state == "superseded"
    assert (await world.activity(done.activity)).reason == f"a newer push came: activity {pushed}"
    second = await world.ticket_of(pushed)
    await world.comes_to_gate(pushed)
    third = await world.promote()
    assert (await world.ticket(second.id)).state == "superseded"
    with pytest.raises(TicketEnded, match="is superseded"):
        await world.commands.approve(second.id, (await world.ticket(second.id)).digest, BOB, "")
    assert [item.id for item in await world.queries.latest(None, None, is_open=True, limit=9)] == [third.id]


async def test_an_approval_of_one_that_is_under_way_counts_and_a_redeploy_is_not_held(world: TicketsWorld) -> None:
    """Between the gate's answer and the row that is held an approval comes: it is asked once more at once."""
    made = await world.promote()
    number = ActivityId(made.activity)
    await world.comes_to_gate(number)
    await world.store.write(lambda db: activities.let_go_on(db, number))
    await world.store.write(lambda db: activities.begin(db, number, NOW))
    found = await world.commands.approve(made.id, (await world.ticket(made.id)).digest, BOB, "")
    assert (found.obstacles, found.state) == ((), "waiting")
    assert await world.store.read(lambda db: tickets.has_news(db, number)) is True


async def test_a_declined_ticket_needs_a_reason_and_takes_its_activity_along(world: TicketsWorld) -> None:
    number, digest = await waiting(world)
    with pytest.raises(Unusable):
        await world.commands.decline(number, BOB, " \n ")
    done = await world.commands.decline(number, BOB, "not\non a Friday\x1b[31m")
    assert (done.state, done.ended_by, done.ended_why) == ("declined", "bob", "not on a Friday[31m")
    activity = await world.activity(done.activity)
    assert (activity.state, activity.reason) == ("cancelled", "declined by bob: not on a Friday[31m")
    with pytest.raises(TicketEnded):
        await world.commands.approve(number, digest, EVE, "")


async def test_the_approval_of_somebody_who_left_or_approves_no_more_counts_no_more(world: TicketsWorld) -> None:
    """The gate of the ticket was shut still: another approver, a window, or its build was waited for."""
    store, directory = cast(Any, world.store), Directory((), lambda: NOW)
    people = PeopleCommands(store, directory, world.host.clock, world.settings.projects)
    for who in ("bob", "eve", "zoe"):
        await people.add(who, "", "", {"shop": Role.APPROVER})
    world.protect({"production": {"protected": {"approvals": 4}}})
    number, digest = await waiting(world)
    for person in (BOB, EVE, Person("zoe", "zoe")):
        await world.commands.approve(number, digest, person, "")
    await people.change("bob", roles={"shop": Role.CONTRIBUTOR})
    await people.change("zoe", name="Zoe")
    assert [item.who for item in (await world.ticket(number)).approvals] == ["eve", "zoe"]
    await people.leave("eve")
    found = await world.ticket(number)
    assert [item.who for item in found.approvals] == ["zoe"]
    assert "1 of 4 approvals" in found.obstacles[0].what
    for late in (BOB, EVE):   # whose requests were let in before
        with pytest.raises(Forbidden, match="approves nothing of shop any more"):
            await world.commands.approve(number, digest, late, "")


async def test_only_who_asked_withdraws(world: TicketsWorld) -> None:
    number, _ = await waiting(world)
    with pytest.raises(Forbidden, match="ada asked for the ticket"):
        await world.commands.withdraw(number, BOB, "")
    assert (await world.commands.withdraw(number, ADA, "")).state == "withdrawn"


async def test_a_cancelled_or_failed_activity_ends_its_ticket(world: TicketsWorld) -> None:
    number, _ = await waiting(world)
    await world.lanes.cancel((await world.activity(1)).id, "eve")
    assert ((await world.ticket(number)).state, (await world.ticket(number)).ended_why) == (
        "withdrawn", "cancelled by eve",
    )
    made = await world.promote(emergency_why="it burns")
    assert (await world.comes_to_gate(made.activity)).is_open
    await world.end(made.activity, "failed")
    assert ((await world.ticket(made.id)).state, (await world.ticket(made.id)).ended_why) == ("failed", "it broke")


async def test_a_moment_is_waited_for_and_an_approved_one_is_moved_by_approvers_alone(world: TicketsWorld) -> None:
    number, digest = await waiting(world, not_before=NOW + timedelta(hours=3))
    found = await world.commands.approve(number, digest, BOB, "")
    assert [item.code for item in found.obstacles] == ["scheduled"]
    with pytest.raises(Forbidden, match="approved for the moment"):
        await world.commands.schedule(number, None, ADA, is_approver=False)
    await world.rounds.look()
    assert (await world.activity(found.activity)).held
    world.later(hours=3)
    await world.rounds.look()
    assert not (await world.activity(found.activity)).held
    assert (await world.comes_to_gate(found.activity)).is_open


async def test_an_emergency_has_a_reason_and_never_opens_for_what_is_not_merged(world: TicketsWorld) -> None:
    await world.store.write(lambda db: locks.put(db, Lock(
        _place(world), "eve", "the sale", NOW,
    )))
    pushed = await world.push("production", 9)   # by a webhook: not merged, and taken all the same
    assert (await world.comes_to_gate(pushed)).obstacles[0].code == "not-merged"
    number = (await world.ticket_of(pushed)).id
    with pytest.raises(Unusable):
        await world.commands.open_for_emergency(number, EVE, "")
    found = await world.commands.open_for_emergency(number, EVE, "it burns")
    assert [item.code for item in found.obstacles] == ["not-merged"]
    assert (found.emergency_by, found.emergency_why) == ("eve", "it burns")
    await world.rounds.look()
    assert (await world.activity(pushed)).held
    world.tips["main"] = 9   # it is merged
    await world.rounds.look()
    assert not (await world.activity(pushed)).held
    assert (await world.comes_to_gate(pushed)).is_open


async def test_an_emergency_is_one_of_the_commit_that_the_admin_saw(world: TicketsWorld) -> None:
    """What comes by a webhook is read from the remote anew when it goes on: its branch may be elsewhere by then."""
    pushed = await world.push("production", 2)
    await world.comes_to_gate(pushed)
    number = (await world.ticket_of(pushed)).id
    await world.commands.open_for_emergency(number, EVE, "it burns")
    verdict = await world.comes_to_gate(pushed, moved_to=3)
    assert [item.code for item in verdict.obstacles] == ["approval-missing"]
    found = await world.ticket(number)
    assert (found.state, found.commit, found.emergency_by, found.emergency_why) == ("waiting", commit(3), "", "")
    await world.commands.open_for_emergency(number, EVE, "it burns still")
    assert (await world.comes_to_gate(pushed, moved_to=3)).is_open


def _place(world: TicketsWorld) -> EnvironmentId:
    return Source(world.project.id, "production").environment


async def test_a_window_and_a_lock_hold_and_go_away_by_themselves(world: TicketsWorld) -> None:
    world.protect({"production": {"protected": {"windows": [{"days": "tue", "from": "09:00"}]}}})
    number, _ = await waiting(world)
    place = _place(world)
    await world.store.write(lambda db: locks.put(db, Lock(place, "eve", "the sale", NOW)))
    world.later(hours=24)
    await world.rounds.look()
    found = await world.activity(1)
    assert (found.held, found.reason) == (True, "production is locked by eve since 2026-05-04 10:00 UTC: the sale")
    await world.store.write(lambda db: locks.remove(db, place))
    await world.store.write(lambda db: activities.release(db, place))
    assert (await world.activity(1)).held   # an unlock lets tickets to the gate's own judgement
    await world.rounds.look()
    assert not (await world.activity(1)).held
    world.later(days=1)   # and the window shuts before the gate is asked
    assert [item.code for item in (await world.comes_to_gate(1)).obstacles] == ["window-closed"]
    assert (await world.ticket(number)).state == "waiting"


async def test_a_ticket_expires_and_one_of_what_is_protected_no_more_is_void(world: TicketsWorld) -> None:
    number, digest = await waiting(world)
    world.later(days=7)
    with pytest.raises(OfferChanged):
        await world.commands.approve(number, "x", BOB, "")
    assert [item.code for item in (await world.commands.approve(number, digest, BOB, "")).obstacles] == ["expired"]
    await world.rounds.look()
    assert (await world.ticket(number)).state == "expired"
    assert (await world.activity(1)).state == "cancelled"
    number, _ = await waiting(world)
    world.protect({})
    await world.rounds.look()
    assert (await world.ticket(number)).state == "void"
    assert (await world.activity(2)).state == "cancelled"


async def test_an_activity_from_before_the_protection_gets_its_ticket_at_the_gate(world: TicketsWorld) -> None:
    world.protect({})
    pushed = await world.push("production", 2)
    world.protect({"production": {"protected": {"approvals": 1}}})
    assert [item.code for item in (await world.comes_to_gate(pushed)).obstacles] == ["approval-missing"]
    assert (await world.ticket_of(pushed)).asked_by == "ada"


async def test_a_push_that_was_only_found_is_not_approved_by_its_pusher_alone(world: TicketsWorld) -> None:
    """Whoever broke the connection at the right moment would have pushed it, and be nobody to the gate."""
    found = await world.push("production", 2, "deployd", "daemon")
    await world.comes_to_gate(found)
    ticket = await world.ticket_of(found)
    assert (ticket.asked_by, ticket.approvals_wanted) == ("deployd", 2)
    ticket = await world.commands.approve(ticket.id, ticket.digest, ADA, "")
    assert [item.code for item in ticket.obstacles] == ["approval-missing"]
    await world.commands.approve(ticket.id, ticket.digest, BOB, "")
    assert (await world.comes_to_gate(found)).is_open


async def test_one_ticket_leads_through_its_stages_and_leaves_out_where_it_is_live(staged: TicketsWorld) -> None:
    made = await staged.promote(source="main", not_before=NOW + timedelta(hours=1))
    assert [stage.branch for stage in made.stages] == ["staging", "production"]
    assert (await staged.comes_to_gate(made.activity)).is_open
    await staged.end(made.activity, "success")
    assert (await staged.ticket(made.id)).state == "next"
    for _ in range(2):   # the second look finds nothing to do
        await staged.rounds.look()
    found = await staged.ticket(made.id)
    assert (found.state, found.branch, [stage.activity for stage in found.stages]) == ("building", "production", [1, 2])
    await staged.comes_to_gate(2)
    assert [item.code for item in (await staged.ticket(made.id)).obstacles] == ["scheduled", "approval-missing"]
    staged.later(hours=1)   # the moment is that of the last stage
    with pytest.raises(Forbidden):
        await staged.commands.approve(made.id, (await staged.ticket(made.id)).digest, ADA, "")
    await staged.commands.approve(made.id, (await staged.ticket(made.id)).digest, BOB, "")
    await staged.comes_to_gate(2)
    await staged.end(2, "success")
    assert (await staged.ticket(made.id)).state == "done"
    staged.tips["main"] = 4
    await staged.is_live("staging", 4)
    assert [stage.branch for stage in (await staged.promote(source="main")).stages] == ["production"]


async def test_a_stage_that_fails_ends_the_ticket_and_production_is_never_reached(staged: TicketsWorld) -> None:
    made = await staged.promote(source="main")
    await staged.comes_to_gate(made.activity)
    await staged.end(made.activity, "failed")
    await staged.rounds.look()
    assert [await staged.queries.of_activity(number) for number in (1, 2)] == [made.id, None]
    assert (await staged.ticket(made.id)).state == "failed"
    assert await staged.store.read(lambda db: activities.find(db, ActivityId(2))) is None


async def test_a_ticket_between_two_stages_is_withdrawn_and_does_not_go_on(staged: TicketsWorld) -> None:
    made = await staged.promote(source="main")
    await staged.comes_to_gate(made.activity)
    await staged.end(made.activity, "success")
    assert (await staged.commands.withdraw(made.id, ADA, "")).state == "withdrawn"
    await staged.rounds.look()
    assert await staged.store.read(lambda db: activities.find(db, ActivityId(2))) is None


async def test_a_rollback_of_staging_shuts_the_gate_of_production(staged: TicketsWorld) -> None:
    await staged.is_live("staging", 3)
    made = await staged.promote()
    await staged.is_live("staging", 1)
    assert [item.code for item in (await staged.comes_to_gate(made.activity)).obstacles] == [
        "not-live-at-source", "approval-missing",
    ]


@pytest.mark.parametrize(("source", "to", "error", "said"), [
    ("nothing", "production", NothingToPromote, "there is no branch nothing"),
    ("abcdef1", "production", NothingToPromote, "is not in the repository of shop: it was never pushed, or is gone"),
    ("feature", "production", NothingToPromote, "takes commits from main, and none from feature"),
    ("9999999", "production", NotMerged, "99999999 is not"),
    ("main", "main", NotProtected, "protected are production"),
    ("main", "nowhere", NotProtected, "not protected"),
])
async def test_what_cannot_be_promoted_is_said_with_what_to_do(
    world: TicketsWorld, source: str, to: str, error: type[DeployError], said: str,
) -> None:
    with pytest.raises(error, match=said) as raised:
        await world.promote(source=source, to=to)
    assert raised.value.hint
    assert await world.queries.latest(None, None, is_open=None, limit=9) == []


async def test_an_unknown_project_or_ticket_is_not_found(world: TicketsWorld) -> None:
    with pytest.raises(NotFound):
        await world.commands.promote("other", "production", "main", Asking(by=ADA))
    with pytest.raises(NotFound):
        await world.commands.approve(99, "x", BOB, "")


async def test_what_has_moved_on_since_it_was_looked_at_is_not_promoted(world: TicketsWorld) -> None:
    with pytest.raises(OfferChanged, match="main has moved on"):
        await world.promote(seen=commit(2))
    assert (await world.promote(seen=commit(3))).commit == commit(3)


async def test_can_i_says_what_stands_in_the_way_and_what_is_open_there(staged: TicketsWorld) -> None:
    can = await staged.queries.can_promote("shop", "production", "main")
    assert (can.stages, can.approvals, can.ticket) == (("staging", "production"), 1, None)
    assert [item.code for item in can.obstacles] == ["approval-missing"]
    assert "deployd promote shop staging production" in can.obstacles[0].hint
    with pytest.raises(NothingToPromote, match="nothing is live on staging"):
        await staged.queries.can_promote("shop", "production", "")
    await staged.is_live("staging", 2)
    made = await staged.promote(source="2222222")
    assert (await staged.queries.can_promote("shop", "production", "")).ticket == made.id
    assert (await staged.queries.can_promote("shop", "staging", "")).allowed
