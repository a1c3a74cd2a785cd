"""Guessing tokens becomes slower and slower, and nobody else is kept out by it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from deployd.http.guesses import (
    FREE,
    LONGEST_PAUSE_SECONDS,
    MOST_ADDRESSES,
    MOST_IN_A_MINUTE,
    Guesses,
    source_of,
)


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def guesses(watch: Watch) -> Guesses:
    return Guesses(watch)


def fail(guesses: Guesses, source: str, times: int) -> list[bool]:
    return [guesses.failed(source) for _ in range(times)]


def test_pauses_grow_from_the_eleventh_wrong_token_on(guesses: Guesses, watch: Watch) -> None:
    fail(guesses, "a", FREE)
    assert guesses.pause_seconds("a") == 0
    pauses = []
    for _ in range(12):
        guesses.failed("a")
        pauses.append(guesses.pause_seconds("a"))
        watch.now += pauses[-1]
        assert guesses.pause_seconds("a") == 0
    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_other_addresses_and_tokens_that_were_right_here_are_let_in(guesses: Guesses) -> None:
    guesses.was_right("a", "ada")
    fail(guesses, "a", 50)
    assert guesses.pause_seconds("a") > 0
    assert guesses.pause_seconds("a", "eve") > 0, "right, and never seen here: a guess, maybe"
    assert guesses.pause_seconds("a", "ada") == 0
    assert guesses.pause_seconds("b") == guesses.pause_seconds("b", "eve") == 0


def test_the_log_has_it_once(guesses: Guesses) -> None:
    with capture_logs() as logs:
        told = fail(guesses, "a", 1000)
    assert told == [True] * FREE + [False] * (1000 - FREE)
    assert [item["event"] for item in logs] == ["sign_ins_held_back"]
    assert guesses.total == 1000
    assert guesses.held_back == 1


def test_an_hour_of_silence_is_a_new_beginning(guesses: Guesses, watch: Watch) -> None:
    fail(guesses, "a", 50)
    watch.now += 3601
    fail(guesses, "a", FREE)
    assert guesses.pause_seconds("a") == 0


def test_many_addresses_together_have_one_guess_each(guesses: Guesses, watch: Watch) -> None:
    for number in range(MOST_IN_A_MINUTE):
        guesses.failed(f"10.0.{number // 250}.{number % 250}")
    guesses.failed("late")
    assert guesses.pause_seconds("late") == 0
    guesses.failed("late")
    assert guesses.pause_seconds("late") > 0
    assert guesses.pause_seconds("new") == 0
    watch.now += 120
    assert guesses.pause_seconds("late") == 0


def test_it_remembers_so_many_and_no_more(guesses: Guesses) -> None:
    for number in range(MOST_ADDRESSES + 500):
        guesses.failed(str(number))
        guesses.was_right(str(number), "ada")
    assert len(guesses._failures) == len(guesses._right) == MOST_ADDRESSES
    assert "0" not in guesses._failures


@pytest.mark.parametrize(("peer", "forwarded", "source"), [
    ("192.0.2.7", "", "192.0.2.7"),
    ("192.0.2.7", "10.9.9.9", "192.0.2.7"),
    ("127.0.0.1", "10.9.9.9", "10.9.9.9"),
    ("::1", "spoofed, 10.9.9.9", "10.9.9.9"),
    ("127.0.0.1", "nonsense", "127.0.0.1"),
    ("::ffff:192.0.2.7", "", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
    ("2001:db8:1:2::9", "", "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "", "fe80::/64"),
    (None, "10.9.9.9", "unknown"),
])
def test_an_address_is_counted_as_what_one_customer_has(peer: str | None, forwarded: str, source: str) -> None:
    assert source_of(peer, forwarded) == source
