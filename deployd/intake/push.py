"""A push, however it arrived, as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployd.environment.naming import Source
from deployd.ids import ActivityId, CommitId, ProjectId

NOTHING = re.compile(r"0{40}|0{64}")
"""The object id that stands for "there is none": before a branch is made, and after it is deleted."""
GIT = "git"
"""How a push came that git itself sent."""


@dataclass(frozen=True, slots=True)
class Push:
    """One branch that moved."""

    project: ProjectId
    branch: str
    old: CommitId
    new: CommitId
    how: str
    """`GIT`, or the name of a forge."""
    who: str
    delivery: str = ""
    """The forge's id of the delivery; the same one again is answered and not run again."""
    options: tuple[str, ...] = ()
    """Push options of git (`push_options.py`)."""
    forced: bool = False
    address: str = ""
    """Where it came from."""
    by: str = ""
    """How its pusher proved who they are, for the audit log; empty: as `how` says."""

    @property
    def source(self) -> Source:
        return Source(self.project, self.branch)

    @property
    def deleted(self) -> bool:
        return bool(NOTHING.fullmatch(self.new))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a push. It is durable when this is returned."""

    activity: ActivityId | None
    said: str
    """One sentence for whoever pushed."""
    again: bool = False
    """This delivery was here before; the answer is the one of then."""
