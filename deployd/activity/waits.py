"""What activities in progress wait for, in words.

In memory only: after a restart of the daemon they wait anew, and say it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deployd.ids import ActivityId


class Waits:
    """{activity: what it waits for}"""

    def __init__(self) -> None:
        self._now: dict[ActivityId, str] = {}
        self._stuck: set[ActivityId] = set()

    def of(self, activity: ActivityId) -> str:
        """Empty when it waits for nothing."""
        return self._now.get(activity, "")

    @property
    def stuck(self) -> list[str]:
        """One sentence for each activity whose undo needs a look."""
        return [f"activity {activity} {self._now[activity]}" for activity in sorted(self._stuck)]

    def say(self, activity: ActivityId, text: str) -> None:
        """Say it in other words; within `saying` only."""
        self._now[activity] = text

    @contextmanager
    def saying(self, activity: ActivityId, text: str, *, stuck: bool = False) -> Iterator[None]:
        """Say what is waited for, as long as the block lasts.

        Args:
            stuck: It will not end by itself, maybe: people have to look.
        """
        self._now[activity] = text
        if stuck:
            self._stuck.add(activity)
        try:
            yield
        finally:
            self._now.pop(activity, None)
            self._stuck.discard(activity)
