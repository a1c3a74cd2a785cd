"""A new version is watched for a while: its smoke tests are asked again and again, and its visitors' requests counted.

    bad       a smoke test failed three times in a row, or visitors fare worse than before for certain
    good      the time is over and neither was so
    overtaken something else waits for the environment: a newer push may be the mend, and a person's wish comes first
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from deployd.activity.log import Tell
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.release.checks.judgement import errors_say, slowness_says
from deployd.release.checks.request_log import RequestLog
from deployd.release.checks.smoke import Answered

LOOK_SECONDS, AGAIN_SECONDS = 2.0, 1.0
"""Between looks, and after one at which a smoke test failed."""
IN_A_ROW = 3
"""So often a smoke test has to fail: one answer may be lost in a start, or a cache be cold."""
UNSEEN = 5
"""Looks in a row at which nothing could be asked; then there is no point in going on."""
MOST_LATE = IN_A_ROW + UNSEEN
"""Looks when the time is over: what fails for certain is known by then, and tests that fail in turns would go on for
ever, in a place that others wait for."""

Verdict = Literal["bad", "good", "overtaken", "unknown"]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a watch."""

    verdict: Verdict
    said: str = ""
    """Why, for people."""
    lines: tuple[str, ...] = ()
    """What a smoke test got, as a person would read it."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a watch; seconds since 1970."""

    switched_at: float
    ends_at: float


@dataclass
class Watch:
    """Of one release. It keeps nothing that a daemon that comes back could not find again."""

    span: Span
    log: RequestLog
    clock: Clock
    tell: Tell
    ask_all: Callable[[], Awaitable[Sequence[Answered]]]
    """Asks every smoke test once."""
    overtaken: Callable[[], Awaitable[str]]
    """What waits for the environment; empty: nothing."""
    _failed: Counter[str] = field(default_factory=Counter)
    """{smoke test: how often in a row}"""
    _unseen: int = 0
    _tests: int = 0

    async def run(self) -> Found:
        """Watch until the time is over, or something is known; at least once."""
        now, loop = self.clock.now().timestamp(), asyncio.get_running_loop()
        whole = self.span.ends_at - self.span.switched_at
        left = min(max(0.0, self.span.ends_at - now), whole)   # a clock that was set back makes it no longer
        ends = loop.time() + left
        self.log.late_from = now + left - whole / 2   # caches are warm by then
        late = 0
        while True:
            found = await self._look()
            if found is not None:
                return found
            if loop.time() >= ends:
                late += 1
                if not self._failed.total() or late >= MOST_LATE:
                    return self._at_the_end()
            if waiting := await self.overtaken():
                return Found("overtaken", f"not watched any longer: {waiting}")
            pause = AGAIN_SECONDS if self._failed.total() else min(LOOK_SECONDS, max(0.1, ends - loop.time()))
            await asyncio.sleep(pause)

    async def _look(self) -> Found | None:
        """None: nothing is known yet."""
        await asyncio.to_thread(self.log.look)
        if said := errors_say(self.log.before, self.log.after):
            return Found("bad", said)
        try:
            answers = await self.ask_all()
        except DeployError as error:
            self._unseen += 1
            if self._unseen == 1:
                self.tell.warn(f"smoke tests cannot be asked: {error.what}")
            return Found("unknown", f"smoke tests could not be asked: {error.what}") if self._unseen >= UNSEEN else None
        self._unseen = 0
        return self._judge(answers)

    def _judge(self, answers: Sequence[Answered]) -> Found | None:
        self._tests = len(answers)
        for answer in answers:
            if answer.is_well:
                if self._failed.pop(answer.test.name, 0):
                    self.tell.line(f"smoke test {answer.test.name} passes again")
                continue
            self._failed[answer.test.name] += 1
            if self._failed[answer.test.name] == 1:
                self.tell.warn(f"smoke test {answer.test.name}: {answer.why}", answer.lines)
            if self._failed[answer.test.name] >= IN_A_ROW:
                return Found(
                    "bad", f"the smoke test {answer.test.name} failed {IN_A_ROW} times in a row: {answer.why}",
                    answer.lines,
                )
        return None

    def _at_the_end(self) -> Found:
        if said := slowness_says(self.log.before.seconds, self.log.late.seconds):
            return Found("bad", said)
        after, tests = self.log.after.counts, self._tests
        return Found("good", ", ".join(filter(None, (
            f"{tests} smoke test{'s' if tests > 1 else ''} passed" if tests else "",
            f"{after} failed" if after.requests else "no visitor came",
        ))))
