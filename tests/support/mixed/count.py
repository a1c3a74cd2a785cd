"""What the mixed visitors saw, and what of it must not be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

NOISE_SECONDS = 0.05
"""The clients' own: all of them share a loop."""


@dataclass
class Count:
    """What was seen."""

    requests: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    wrong_version: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    """Sent once and done twice; or done although its client had left while it was held."""
    lost: list[str] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)
    """(when it began, when it was answered) of each."""
    reopened: int = 0
    """Upgraded connections and streams of events that were closed after their drain time."""
    drains: list[float] = field(default_factory=list)
    """Seconds from the first sight of a newer version to the end of each of those."""
    restarted: int = 0
    """Downloads that began anew because the next part would have been of another version."""
    left: int = 0
    """Clients that left in the middle; they are no requests."""
    left_but_done: int = 0
    """Of those: what they had asked for was done once, which nobody can prevent."""
    forgotten: int = 0
    """Of those: left while held, and asked again."""
    versions: set[int] = field(default_factory=set)

    def line(self, deployments: int) -> str:
        longest = max((end - begin for begin, end in self.held), default=0.0)
        return (
            f"mixed: deployments={deployments} requests={self.requests.total()} errors={len(self.errors)}"
            f" duplicates={len(self.duplicates)} lost={len(self.lost)} wrong_version={len(self.wrong_version)}"
            f" held={len(self.held)} longest_wait={longest:.2f} out_of_order={self.out_of_order()} left={self.left}"
        )

    def out_of_order(self) -> int:
        """How many of those held were answered before one that had come earlier, beyond the clients' own noise."""
        ends = [end for _, end in sorted(self.held)]
        return sum(1 for earlier, later in pairwise(ends) if later < earlier - NOISE_SECONDS)

    @property
    def is_clean(self) -> bool:
        return not (self.errors or self.wrong_version or self.duplicates or self.lost)
