"""What all activities share: slots in pools, memory, and the words for what each of them waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.activity.admission import Pool
from deployd.activity.slots import Slots
from deployd.ids import ActivityId


class Waits:
    """{activity: what it waits for}, in memory only: after a restart of the daemon they wait anew, and say it again."""

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


@dataclass(frozen=True, slots=True)
class Limits:
    """What all activities share."""

    pools: Mapping[Pool, Slots]
    memory_mb: int = 0
    """All that builds and deployments may count on."""
    waits: Waits = field(default_factory=Waits)
