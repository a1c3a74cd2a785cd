"""Guessing tokens becomes slower and slower, and nobody else is kept out by it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from deployd.http.failed_sign_ins import (
    FREE,
    LONGEST_PAUSE_SECONDS,
    MOST_ADDRESSES,
    MOST_IN_A_MINUTE,
    FailedSignIns,
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
def failed_sign_ins(watch: Watch) -> FailedSignIns:
    return FailedSignIns(watch)


def fail(failed_sign_ins: FailedSignIns, source: str, times: int) -> list[bool]:
    return [failed_sign_ins.failed(source) for _ in range(times)]


def test_pauses_grow_from_the_eleventh_wrong_token_on(failed_sign_ins: FailedSignIns, watch: Watch) -> None:
    fail(failed_sign_ins, "a", FREE)
    assert failed_sign_ins.pause_seconds("a") == 0
    pauses = []
    for _ in range(12):
        failed_sign_ins.failed("a")
        pauses.append(failed_sign_ins.pause_seconds("a"))
        watch.now += pauses[-1]
        assert failed_sign_ins.pause_seconds("a") == 0
    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_other_addresses_and_tokens_that_were_right_here_are_let_in(failed_sign_ins: FailedSignIns) -> None:
    failed_sign_ins.was_right("a", "ada")
    fail(failed_sign_ins, "a", 50)
    assert failed_sign_ins.pause_seconds("a") > 0
    assert failed_sign_ins.pause_seconds("a", "eve") > 0, "right, and never seen here: a guess, maybe"
    assert failed_sign_ins.pause_seconds("a", "ada") == 0
    assert failed_sign_ins.pause_seconds("b") == failed_sign_ins.pause_seconds("b", "eve") == 0


def test_the_log_has_it_once(failed_sign_ins: FailedSignIns) -> None:
    with capture_logs() as logs:
        told = fail(failed_sign_ins, "a", 1000)
    assert told == [True] * FREE + [False] * (1000 - FREE)
    assert [item["event"] for item in logs] == ["sign_ins_held_back"]
    assert failed_sign_ins.total == 1000
    assert failed_sign_ins.held_back == 1


def test_an_hour_of_silence_is_a_new_beginning(failed_sign_ins: FailedSignIns, watch: Watch) -> None:
    fail(failed_sign_ins, "a", 50)
    watch.now += 3601
    fail(failed_sign_ins, "a", FREE)
    assert failed_sign_ins.pause_seconds("a") == 0


def test_many_addresses_together_have_one_guess_each(failed_sign_ins: FailedSignIns, watch: Watch) -> None:
    for number in range(MOST_IN_A_MINUTE):
        failed_sign_ins.failed(f"10.0.{number // 250}.{number % 250}")
    failed_sign_ins.failed("late")
    assert failed_sign_ins.pause_seconds("late") == 0
    failed_sign_ins.failed("late")
    assert failed_sign_ins.pause_seconds("late") > 0
    assert failed_sign_ins.pause_seconds("new") == 0
    watch.now += 120
    assert failed_sign_ins.pause_seconds("late") == 0


def test_it_remembers_so_many_and_no_more(failed_sign_ins: FailedSignIns) -> None:
    for number in range(MOST_ADDRESSES + 500):
        failed_sign_ins.failed(str(number))
        failed_sign_ins.was_right(str(number), "ada")
    assert len(failed_sign_ins._failures) == len(failed_sign_ins._right) == MOST_ADDRESSES
    assert "0" not in failed_sign_ins._failures


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
