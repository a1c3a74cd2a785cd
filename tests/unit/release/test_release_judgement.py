"""When visitors of a new version fare worse than those before, and when nothing can be said."""

from __future__ import annotations

import random

import pytest

from deployd.release.checks.judgement import (
    Counts,
    Request,
    Sample,
    chance_of,
    counts,
    errors_say,
    least_share,
    slowness_says,
)


def sample(requests: int, errors: int, clients: int = 7) -> Sample:
    """Errors are spread over all clients."""
    found = Sample()
    for number in range(requests):
        status = 500 if number * errors // max(requests, 1) != (number + 1) * errors // max(requests, 1) else 200
        found.add(Request(0, 0.1, status, f"192.0.2.{number % clients}"))
    return found


@pytest.mark.parametrize(("before", "after", "is_bad"), [
    ((300, 0), (40, 40), True),
    ((300, 0), (40, 8), True),
    ((300, 0), (19, 19), False),      # too few requests
    ((300, 0), (100, 4), False),      # too few errors
    ((300, 0), (400, 12), False),     # three in a hundred are not enough
    ((300, 60), (100, 22), False),    # it was so before
    ((300, 60), (100, 60), True),
    ((300, 150), (100, 70), False),   # more, but not twice as many
    ((1_000, 20), (30, 6), True),
    ((1_000, 50), (40, 7), False),    # chance makes as many now and then
    ((0, 0), (40, 40), True),         # nobody came before: for certain more than a fifth
    ((0, 0), (40, 8), False),
    ((49, 0), (25, 9), False),
    ((0, 0), (0, 0), False),
])
def test_errors_count_when_they_are_more_than_chance_would_make(
    before: tuple[int, int], after: tuple[int, int], is_bad: bool,
) -> None:
    said = errors_say(sample(*before), sample(*after))
    assert bool(said) == is_bad, said
    assert not said or f"{after[1]} of {after[0]} requests failed since the switch" in said


def test_one_visitor_who_asks_for_what_fails_brings_nothing_down() -> None:
    after = sample(60, 0)
    for _ in range(500):
        after.add(Request(0, 0.1, 500, "203.0.113.9"))
    assert errors_say(sample(300, 0), after) == ""
    for client in range(30):
        after.add(Request(0, 0.1, 500, f"198.51.100.{client}"))
    assert errors_say(sample(300, 0), after) != "", "others meet errors too"


def test_behind_a_load_balancer_everybody_has_one_address() -> None:
    assert errors_say(sample(300, 0, 1), sample(40, 30, 1)) != ""


def test_the_exact_test_agrees_with_what_tables_of_it_say() -> None:
    # Fisher's tea: 3 of 4 cups right, 17 of 70
    assert chance_of(Counts(4, 1), Counts(4, 3)) == pytest.approx(17 / 70)
    assert chance_of(Counts(10_000, 0), Counts(10_000, 10_000)) < 1e-9
    assert 0.02 < least_share(5, 20) < 0.15


def test_good_releases_are_not_taken_for_bad_ones() -> None:
    """A thousand releases that change nothing, watched at 30 looks each, over all shares of errors there are."""
    chance = random.Random(7)
    wrong = 0
    for _ in range(1_000):
        share = chance.choice([0, 0.001, 0.01, 0.05, 0.2, 0.5])
        before, after = Sample(), Sample()
        for _ in range(chance.choice([0, 60, 400])):
            before.add(Request(0, 0.1, 500 if chance.random() < share else 200, f"c{chance.randrange(20)}"))
        for _ in range(30):
            for _ in range(chance.choice([1, 10])):
                after.add(Request(0, 0.1, 500 if chance.random() < share else 200, f"c{chance.randrange(20)}"))
            # Who has nothing to compare with and fails at half of the requests is taken for a bad one, rightly.
            if (share < 0.2 or before.requests.total()) and errors_say(before, after):
                wrong += 1
                break
    assert wrong <= 10


@pytest.mark.parametrize(("before", "after", "is_bad"), [
    ([0.1] * 100, [0.1] * 100, False),
    ([0.1] * 100, [0.35] * 100, False),            # three times as long, and who would notice
    ([0.1] * 100, [1.0] * 100, True),
    ([0.1] * 100, [1.0] * 40 + [0.1] * 60, False),  # not most of them
    ([0.1] * 100, [1.0] * 49, False),              # too few
    ([0.1] * 49, [1.0] * 100, False),
    ([0.1] * 50 + [2.0] * 50, [3.0] * 100, False),  # half of them took that long before
])
def test_a_release_is_slow_when_most_wait_longer_than_nearly_all_did(
    before: list[float], after: list[float], is_bad: bool,
) -> None:
    assert bool(slowness_says(before, after)) == is_bad


def test_what_says_nothing_of_a_version_does_not_count() -> None:
    statuses = [0, 101, 429, 499, 200, 404, 500, 503]
    assert [status for status in statuses if counts(Request(0, 0.1, status, ""))] == [200, 404, 500, 503]


def test_a_crowd_of_clients_takes_bounded_room() -> None:
    found = Sample()
    for number in range(30_000):
        found.add(Request(0, 0.1, 200, f"client {number}"))
    assert (len(found.requests), len(found.seconds), found.counts.requests) == (10_001, 20_000, 30_000)
