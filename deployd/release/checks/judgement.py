"""Whether visitors of a new version fare worse than those of the one before. Pure.

Few requests prove nothing, and then nothing is said. Errors count when they are more than chance would make of the
share that there was before; slowness when most visitors wait longer than nearly all did. Whoever makes the most errors
is left out once, so that one visitor who asks for what fails cannot bring a release down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, lgamma, sqrt

LEAST_REQUESTS, LEAST_ERRORS = 20, 5
"""After the switch; with fewer nothing is said of errors."""
LEAST_BEFORE = 50
"""With fewer requests before the switch there is nothing to compare with."""
MORE_SHARE, MORE_TIMES = 0.05, 2.0
"""So much more than before, of all requests and in proportion, has to fail."""
CHANCE = 0.001
"""How seldom chance alone may make so many errors."""
ALONE_SHARE = 0.2
"""Without anything to compare with: more than this share fails for certain."""
LEAST_TIMED = 50
SLOWER_TIMES, SLOWER_SECONDS = 2.0, 0.3
"""Slow is what took so much longer than nine of ten requests before."""
SLOW_SHARE = 0.5
CERTAIN = 3.0
"""Standard deviations of a share."""
MOST_TIMED = 20_000
MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the access log."""

    began: float
    """Seconds since 1970; to the second, and never too late."""
    seconds: float
    status: int
    client: str


@dataclass
class Sample:
    """Requests of one time."""

    requests: Counter[str] = field(default_factory=Counter)
    """{client: how many}"""
    errors: Counter[str] = field(default_factory=Counter)
    """{client: how many that ended with a status from 500 on}"""
    seconds: list[float] = field(default_factory=list)

    def add(self, request: Request) -> None:
        client = request.client if request.client in self.requests or len(self.requests) < MOST_CLIENTS else "others"
        self.requests[client] += 1
        if request.status >= 500:
            self.errors[client] += 1
        elif len(self.seconds) < MOST_TIMED:   # an error is quick, mostly, and says nothing of how long pages take
            self.seconds.append(request.seconds)

    def without(self, client: str) -> Counts:
        return Counts(self.requests.total() - self.requests[client], self.errors.total() - self.errors[client])

    @property
    def counts(self) -> Counts:
        return Counts(self.requests.total(), self.errors.total())


@dataclass(frozen=True, slots=True)
class Counts:
    requests: int
    errors: int

    @property
    def share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        return f"{self.errors:,} of {self.requests:,} requests"


def counts(request: Request) -> bool:
    """Whether a request says something of the version that answered it.

    Not when its client left before there was an answer, when the router refused it (429), nor when it became a
    connection for good.
    """
    return request.status not in (0, 101, 429, 499)


def errors_say(before: Sample, after: Sample) -> str:
    """What is wrong with the errors of the new version; empty when nothing is, or nothing can be said."""
    found = after.counts
    if not _has_more_errors(before.counts, found):
        return ""
    noisiest, _ = after.errors.most_common(1)[0]
    everybody = before.requests.keys() | after.requests.keys()
    # Behind a load balancer all come from one address: then there is nobody to leave out.
    if len(everybody) > 1 and not _has_more_errors(before.without(noisiest), after.without(noisiest)):
        return ""
    compared = str(before.counts) if before.counts.requests else "nobody came"
    return f"{found} failed since the switch, {found.share:.0%} (before: {compared})"


def _has_more_errors(before: Counts, after: Counts) -> bool:
    if after.requests < LEAST_REQUESTS or after.errors < LEAST_ERRORS:
        return False
    if before.requests < LEAST_BEFORE:
        return least_share(after.errors, after.requests) > ALONE_SHARE
    if after.share < max(before.share + MORE_SHARE, before.share * MORE_TIMES):
        return False
    return chance_of(before, after) < CHANCE


def slowness_says(before: Sequence[float], after: Sequence[float]) -> str:
    """What is wrong with how long visitors of the new version wait; empty as above.

    Args:
        before, after: Seconds of requests that did not fail.
    """
    if len(before) < LEAST_TIMED or len(after) < LEAST_TIMED:
        return ""
    usual = quantile(before, 0.9)
    limit = max(usual * SLOWER_TIMES, usual + SLOWER_SECONDS)
    slow = sum(seconds > limit for seconds in after)
    if least_share(slow, len(after)) <= SLOW_SHARE:
        return ""
    return (
        f"{slow:,} of {len(after):,} requests took longer than {limit:.2f} s"
        f" (before, nine of ten took {usual:.2f} s at most)"
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def least_share(some: int, of: int) -> float:
    """What the share is at least, by Wilson's interval: few requests give a wide one."""
    share, z2 = some / of, CERTAIN * CERTAIN
    middle = share + z2 / (2 * of)
    spread = CERTAIN * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return (middle - spread) / (1 + z2 / of)


def chance_of(before: Counts, after: Counts) -> float:
    """How often chance would put so many of all errors, or more, behind the switch: Fisher's exact test, one-sided."""
    every, errors = before.requests + after.requests, before.errors + after.errors
    most = min(errors, after.requests)
    whole = _choose(every, errors)
    found = 0.0
    for number in range(after.errors, most + 1):
        part = exp(_choose(after.requests, number) + _choose(before.requests, errors - number) - whole)
        found += part
        if part < found * 1e-12:   # what comes is smaller still
            break
    return found


def _choose(of: int, some: int) -> float:
    """The logarithm of how many ways there are."""
    if not 0 <= some <= of:
        return float("-inf")
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)
