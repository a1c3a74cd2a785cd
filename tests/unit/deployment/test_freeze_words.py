"""What who pushed reads of a freeze."""

from __future__ import annotations

import pytest

from deployd.deployment.freeze_report import words_of_switch, words_of_thaw
from deployd.router.table import Released


@pytest.mark.parametrize(("did", "words"), [
    (Released(), ""),
    (Released(6, 0.94), "6 held requests released, the longest waited 0.9 s"),
    (Released(6, 60, 2, 0, 1), "6 held requests released, the longest waited 60.0 s; 3 saw the maintenance page"),
    (Released(0, 0, 0, 2), "0 held requests released, the longest waited 0.0 s; 2 left while they waited"),
])
def test_a_switch_says_who_was_released_who_saw_the_page_and_who_left(did: Released, words: str) -> None:
    assert words_of_switch(did) == words


@pytest.mark.parametrize(("did", "words"), [
    (Released(), "nobody had to wait"),
    (Released(left=1), "nobody had to wait; 1 left while they waited"),
    (Released(31, 12.4), "31 requests waited, the longest 12.4 s, 0 saw the maintenance page"),
    (Released(3, 60, 4, 2),
     "3 requests waited, the longest 60.0 s, 4 saw the maintenance page; 2 left while they waited"),
])
def test_a_thaw_says_the_same_of_a_deployment_that_was_reverted(did: Released, words: str) -> None:
    assert words_of_thaw(did) == words
