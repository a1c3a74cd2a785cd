"""How one kind of deployment differs from another, as its steps ask for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Target(Enum):
    """What becomes live."""

    COMMIT = "the commit that was asked for, else the branch's newest"
    LIVE = "what is live when its turn comes, once more"
    EARLIER = "a version that was live before"
    NOTHING = "nothing: the environment goes"


@dataclass(frozen=True, slots=True)
class Mode:
    """What steps do otherwise in one kind than in another."""

    target: Target
    starts_anew: bool = False
    """No application goes on in the containers that it has."""
    waits_for_unlock: bool = False
    """Once it is built. What is somebody's own request is not held."""
    may_be_reverted: bool = False
    """When it turns out bad after the switch, the version before may come back by itself."""
