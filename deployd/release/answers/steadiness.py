"""When a new version has answered long enough to be trusted with visitors. Pure.

One answer says little: a start command that puts its server into the background and ends is answered for until its
container ends with it, a second later or five. So the start command has to run all the while, and to be the one that
listens; another one (`npm start`, a script that starts a server) is trusted when it has run for some seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.release.applications.start_records import Starts

ANSWERS, SHORT_WHILE_SECONDS = 3, 0.03
"""So many answers in a row, over so long a while."""
LONG_WHILE_SECONDS = 0.5
"""Of an application that takes its time two answers do: visitors wait."""
SETTLED_SECONDS = 2.0
"""How long a start command has to run that does not listen itself, or that ended before: whoever sends its server away
waits a second or two for it, as a rule, and ends."""
ENDED_IN_VAIN, ANSWERED_IN_VAIN = 6, 2
"""A start command that ended so often, some six seconds long, will not become well by waiting; and one after whose
servers' answers it ended will never."""


FAILS_WITHOUT_ITS_HOOK = 3
"""A start command that was begun so often before its deploy hook has run waits for that."""


def waits_for_its_hook(starts: Starts) -> bool:
    """Whether it is of no use to wait for a start command before the deploy hook has run; visitors are not held yet."""
    if starts.ended >= ENDED_IN_VAIN:
        return True
    return not starts.runs and starts.begun - starts.ended >= FAILS_WITHOUT_ITS_HOOK


@dataclass
class Steadiness:
    """What was seen of one application, look by look."""

    begun: int = -1
    """Which start of its start command is looked at."""
    began_at: float = 0.0
    """When it was first seen."""
    answers: int = 0
    first_at: float = 0.0
    """When the first of them came."""
    has_answered: bool = False

    def look(
        self, now: float, starts: Starts | None, *, answered: bool, age_seconds: float = 0.0, itself: bool = False,
    ) -> bool:
        """Whether this look, with those before it, is enough.

        Args:
            now: By the loop's clock.
            starts: None: it does not matter whether the start command runs, or nobody knows.
            age_seconds: How long ago its state was written down; by the time of day, which may jump.
            itself: The start command's own process is the one that listens.
        """
        if starts is not None and starts.begun != self.begun:
            self.begun, self.began_at, self.answers = starts.begun, now, 0
        self.has_answered = self.has_answered or answered
        if not answered or (starts is not None and not starts.runs):
            self.answers = 0
            return False
        if not self.answers:
            self.first_at = now
        self.answers += 1
        if starts is not None and (starts.ended or not itself) and not self._is_settled(now, age_seconds):
            return False
        seconds = now - self.first_at
        if self.answers >= ANSWERS:
            return seconds >= SHORT_WHILE_SECONDS
        return self.answers > 1 and seconds >= LONG_WHILE_SECONDS

    def is_in_vain(self, starts: Starts | None) -> bool:
        """Whether waiting longer is of no use; visitors are held meanwhile."""
        if starts is None:
            return False
        return starts.has_no_environment or starts.ended >= (
            ANSWERED_IN_VAIN if self.has_answered else ENDED_IN_VAIN
        )

    def _is_settled(self, now: float, age_seconds: float) -> bool:
        return max(now - self.began_at, age_seconds) >= SETTLED_SECONDS
