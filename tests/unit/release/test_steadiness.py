"""When a new version has answered long enough."""

from __future__ import annotations

import pytest

from deployd.release.answers.steadiness import SETTLED_SECONDS, Steadiness, waits_for_its_hook
from deployd.release.applications.start_records import ENDED, FIRST, NOTHING_YET, RUNNING, WAITING, Starts, parse_starts

RUNS = Starts(1, 0, RUNNING, 7)


def looks(
    *at: float, starts: Starts | None = RUNS, itself: bool = True, steady: Steadiness | None = None,
) -> list[bool]:
    steady = steady or Steadiness()
    return [steady.look(now, starts, answered=True, itself=itself) for now in at]


def test_one_answer_is_not_enough_and_three_over_a_short_while_are() -> None:
    assert looks(0, 0.02, 0.04) == [False, False, True]
    assert looks(0, 0.001, 0.002) == [False, False, False], "too quickly one after the other"


def test_of_an_application_that_takes_its_time_two_answers_do() -> None:
    assert looks(0, 0.6) == [False, True]


def test_a_start_command_that_does_not_listen_itself_has_to_run_for_a_while() -> None:
    assert looks(0, 0.1, 0.2, SETTLED_SECONDS - 0.1, SETTLED_SECONDS, itself=False) == [False] * 4 + [True]


def test_the_while_counts_from_its_start_and_not_from_the_first_look() -> None:
    steady = Steadiness()
    assert [steady.look(now, RUNS, answered=True, age_seconds=SETTLED_SECONDS + now) for now in (0, 0.1, 0.2)] == [
        False, False, True]


def test_a_clock_that_was_set_back_only_makes_it_wait_the_while() -> None:
    steady = Steadiness()
    assert [steady.look(now, RUNS, answered=True, age_seconds=-3600) for now in (0, 1, 1.9, 2.0)] == [
        False, False, False, True]


def test_one_that_ended_before_has_to_run_for_a_while_though_it_listens_itself() -> None:
    assert looks(0, 0.1, 0.2, SETTLED_SECONDS, starts=Starts(2, 1, RUNNING, 9)) == [False, False, False, True]


def test_each_start_begins_anew() -> None:
    steady = Steadiness()
    assert looks(0, 1, 1.9, itself=False, steady=steady) == [False] * 3
    assert looks(2, 3, 3.9, 4.0, starts=Starts(2, 1, RUNNING, 9), itself=False, steady=steady) == [False] * 3 + [True]


def test_answers_of_what_an_ended_start_command_left_behind_do_not_count() -> None:
    for state in (WAITING, ENDED):
        assert looks(*range(10), starts=Starts(1, 1, state), itself=True) == [False] * 10


def test_an_answer_that_fails_begins_the_count_anew() -> None:
    steady = Steadiness()
    looks(0, 0.02, steady=steady)
    assert not steady.look(0.04, RUNS, answered=False)
    assert looks(0.06, 0.08, 0.12, steady=steady) == [False, False, True]


def test_where_nobody_knows_of_the_start_command_the_answers_count() -> None:
    assert looks(0, 0.02, 0.04, starts=None, itself=False) == [False, False, True]


def test_waiting_is_in_vain_when_it_ends_again_and_again_and_sooner_when_its_orphans_answered() -> None:
    steady = Steadiness()
    assert not steady.is_in_vain(Starts(6, 5, ENDED))
    assert steady.is_in_vain(Starts(6, 6, ENDED))
    looks(0, starts=Starts(1, 0, RUNNING, 7), steady=steady)
    assert not steady.is_in_vain(Starts(2, 1, ENDED))
    assert steady.is_in_vain(Starts(3, 2, ENDED))
    assert Steadiness().is_in_vain(parse_starts(b"0 0 environment 0 2\n"))


@pytest.mark.parametrize(("starts", "waits"), [
    (Starts(), False), (Starts(1, 0, RUNNING, 7), False), (Starts(3, 0, RUNNING, 7), False),
    (Starts(2, 0, WAITING), False), (Starts(3, 0, WAITING), True), (Starts(5, 5, ENDED), False),
    (Starts(6, 6, ENDED), True), (Starts(4, 4, NOTHING_YET), False),
])
def test_what_fails_without_its_deploy_hook_is_not_waited_for(starts: Starts, waits: bool) -> None:
    assert waits_for_its_hook(starts) is waits


def test_what_a_container_writes_is_read_strictly() -> None:
    assert parse_starts(FIRST) == Starts()
    assert parse_starts(b"3 1 running 42 0".ljust(60) + b"\n", 5.0) == Starts(3, 1, RUNNING, 42, 0, 5.0)
    for odd in (b"", b"1 0 running\n", b"-1 0 running 1 0\n", b"1 0 dancing 1 0\n", b"9" * 60, b"1 0 running 1 0\n\n"):
        assert parse_starts(odd) is None
