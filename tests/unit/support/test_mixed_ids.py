"""The account of the mixed visitors: whatever must not be is told, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.mixed.count import Count
from tests.support.mixed.ids import compare


def account(*lines: str, sent: str = "", broken: str = "", given_up: Mapping[str, int | None] | None = None) -> Count:
    count = Count()
    compare(lines, sent.split(), broken.split(), given_up or {}, count)
    return count


def test_posts_that_arrive_once_are_right_also_when_their_clients_had_left() -> None:
    lines = ("a 1 5000", "given-up 1 5000", "hook 2 0", "big 1 20480", "b 2 5000")
    count = account(*lines, sent="a b big", broken="half", given_up={"given-up": 2, "never-done": 2})
    assert count.is_clean
    assert count.left_but_done == 1


@pytest.mark.parametrize(("lines", "what"), [
    (("a 1 5000", "a 1 5000"), "duplicates"),
    (("given-up 1 5000", "given-up 1 5000", "a 1 5000"), "duplicates"),
    (("hook 2 0", "given-up 2 5000", "a 2 5000"), "duplicates"),
    (("hook 2 0", "a 1 5000"), "wrong_version"),
    (("a 1 5000", "half 1 2500"), "errors"),
    ((), "lost"),
])
def test_each_wrong_is_told_once_and_as_what_it_is(lines: tuple[str, ...], what: str) -> None:
    count = account(*lines, sent="a", broken="half", given_up={"given-up": 2})
    found = {name: len(getattr(count, name)) for name in ("duplicates", "wrong_version", "errors", "lost")}
    assert found == {"duplicates": 0, "wrong_version": 0, "errors": 0, "lost": 0, what: 1}
