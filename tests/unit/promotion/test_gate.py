"""The gate: what stands in the way, whose approval counts, and what an emergency opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployd.promotion.gate import Approval, Facts, counted, judge
from deployd.promotion.people import SOMEBODY, Person
from deployd.settings import Protection

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)   # a Monday
ADA, BOB, EVE = Person("ada", "ada", ("Ada Lovelace", "ada@shop.test")), Person("bob", "bob"), Person("eve", "eve")


def facts(**more: Any) -> Facts:
    protection = Protection.model_validate({"approvals": 1, **more.pop("protection", {})})
    values: dict[str, Any] = {
        "project": "shop", "branch": "production", "protection": protection, "source": "main", "commit": "a" * 40,
        "is_contained": True, "source_is_live": False, "now": NOW, "ticket": 7, "asked_by": ADA, "digest": "d1", **more,
    }
    return Facts(**values)


def approval(person: Person, digest: str = "d1") -> Approval:
    return Approval(person, digest, NOW)


def codes(asked: Facts) -> list[str]:
    return [obstacle.code for obstacle in judge(asked).obstacles]


@pytest.mark.parametrize(("more", "code"), [
    ({"is_contained": False}, "not-merged"),
    ({"is_contained": False, "source_is_live": True}, "not-live-at-source"),
    ({"lock": "production is locked by eve since 2026-05-04 09:00 UTC: the sale"}, "locked"),
    ({"not_before": NOW + timedelta(minutes=1)}, "scheduled"),
    ({"expires": NOW}, "expired"),
    ({"protection": {"windows": [{"days": "tue"}]}}, "window-closed"),
    ({"approvals": ()}, "approval-missing"),
])
def test_one_thing_in_the_way_is_said_with_what_to_do(more: dict[str, Any], code: str) -> None:
    asked = facts(**{"approvals": (approval(BOB),), **more})
    [obstacle] = judge(asked).obstacles
    assert obstacle.code == code
    assert obstacle.what
    assert obstacle.hint
    assert judge(facts(approvals=(approval(BOB),))).is_open


def test_an_emergency_opens_everything_but_for_what_is_not_merged() -> None:
    shut = facts(
        lock="locked", not_before=NOW + timedelta(days=1), expires=NOW, protection={"windows": [{"days": "tue"}]},
        is_contained=False,
    )
    assert len(codes(shut)) == 6
    assert codes(replace(shut, emergency=True)) == ["not-merged"]
    assert codes(replace(shut, emergency=True, is_contained=True)) == []


@pytest.mark.parametrize("approvals", [
    (approval(ADA),), (approval(Person("ada")),), (approval(Person("Ada")),),
    (approval(Person("laptop", "", ("ada@shop.test",))),),
    (approval(BOB, "d0"),), (approval(BOB, ""),),
])
def test_whose_approval_does_not_count(approvals: tuple[Approval, ...]) -> None:
    """Of who asked, under whatever name they are known; and of what was offered before."""
    assert codes(facts(approvals=approvals)) == ["approval-missing"]


def test_nothing_is_approved_before_it_is_built() -> None:
    assert counted(facts(digest="", approvals=(approval(BOB, "d0"),))) == ()
    assert "it is built first" in judge(facts(digest="")).said


def test_one_person_counts_once_and_others_are_still_missing() -> None:
    two = facts(protection={"approvals": 2}, approvals=(approval(BOB), approval(Person("bob")), approval(BOB)))
    assert codes(two) == ["approval-missing"]
    assert "has 1 of 2 approvals" in judge(two).said
    assert judge(replace(two, approvals=(approval(BOB), approval(EVE)))).is_open


def test_where_nobody_knows_who_pushed_it_one_of_those_who_approve_may_be_who_did() -> None:
    found = facts(asked_by=SOMEBODY, approvals=(approval(BOB),))
    assert "has 1 of 2 approvals, one more than else because nobody knows who pushed it" in judge(found).said
    assert judge(replace(found, approvals=(approval(BOB), approval(EVE)))).is_open
    assert judge(replace(found, protection=Protection(), approvals=())).is_open, "where none is needed, none is needed"


@pytest.mark.parametrize("author", ["Bob <x@shop.test>", "Robert <bob@shop.test>", "BOB"])
def test_authors_do_not_approve_where_that_is_wanted(author: str) -> None:
    bob = Person("bob", "bob", ("Bob", "bob@shop.test"))
    asked = facts(approvals=(approval(bob),), authors=("Eve <eve@shop.test>", author))
    assert judge(asked).is_open
    strict = replace(asked, protection=Protection(approvals=1, approvers_other_than_authors=True))
    assert [item.code for item in judge(strict).obstacles] == ["approval-missing"]


def test_two_persons_with_one_name_are_two_where_both_are_known() -> None:
    assert not Person("ada", "1").is_same(Person("ada", "2"))
    assert Person("ada", "1").is_same(Person("ada"))
    assert not Person("", "").is_same(Person("", ""))
