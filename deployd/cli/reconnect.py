"""How long a daemon that has gone is waited for by who follows something. Pure.

What counts is when it went: an hour of silence before that, in which nothing was printed, is no waiting.
"""

from __future__ import annotations

LOOK_AGAIN_SECONDS = 0.5
"""Between two tries."""
LONGEST_NO_SECONDS = 2.0
"""A daemon that is away refuses at once; who was kept longer was connected."""


class Reconnect:
    """The tries of one follower. Moments are the loop's."""

    def __init__(self, limit_seconds: float, now: float) -> None:
        self._limit_seconds = limit_seconds
        self._gone_since = now
        self.has_met = False
        """The daemon was there once."""

    def heard(self, now: float) -> None:
        """It said something, or ended what it was saying."""
        self.has_met, self._gone_since = True, now

    def is_over(self, began: float, now: float) -> bool:
        """Whether to give up after a try that failed.

        Args:
            began: When the try began.
        """
        if now - began > LONGEST_NO_SECONDS:
            self.heard(now)
        return not self.has_met or now - self._gone_since > self._limit_seconds
