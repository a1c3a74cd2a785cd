"""What activities in progress wait for, in words.

In memory only: after a restart of the daemon they wait anew, and say it again.
"""

from __future__ import annotations

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

    def say(self, activity: ActivityId, text: str, *, stuck: bool = False) -> None:
        """
        Args:
            stuck: It will not end by itself, maybe: people have to look.
        """
        self._now[activity] = text
        if stuck:
            self._stuck.add(activity)

    def done(self, activity: ActivityId) -> None:
        """It waits no more; it need not have waited."""
        self._now.pop(activity, None)
        self._stuck.discard(activity)
