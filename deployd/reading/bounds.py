"""What one reading may cost, and the errors that say so."""

from __future__ import annotations

from typing import ClassVar

from deployd.errors import DeployError, Unusable
from deployd.project.tree.limits import TreeTooLarge

CPU_SECONDS = 10
"""The largest configuration of the tests, 50,000 redirects, takes a second and a half."""
WALL_SECONDS = 60
"""Of a processor that others use too, and of a disk from which git reads."""
MEMORY_BYTES = 1 << 30
LARGEST_FILE_BYTES = 4_000_000
MOST_BYTES = 32_000_000
"""Of all configuration files together."""
LARGEST_ANSWER_BYTES = 16_000_000
LONGEST_PATH_BYTES = 4_000   # PATH_MAX is 4,096: a file below a longer one could never be written
HINT = "make the configuration smaller: fewer patterns, includes and aliases"


class ConfigurationTooLarge(DeployError):
    """The configuration files, with all that they include, are larger than can be read."""

    code: ClassVar[str] = "configuration-too-large"


class ConfigurationOverran(DeployError):
    """Reading the configuration took more time or memory than it may."""

    code: ClassVar[str] = "configuration-overran"


class OfferUnusable(Unusable):
    """What was sent for a plan is not what `POST …/plan` takes."""


class TooManyReadings(DeployError):
    """So many readings of one project wait already that another one is refused."""

    code: ClassVar[str] = "too-many-readings"


class ReadersAbsent(DeployError):
    """The process that makes readers does not start."""

    code: ClassVar[str] = "readers-absent"
    again_in_seconds: ClassVar[float | None] = 5.0


TOLD = {kind.code: kind for kind in (ConfigurationTooLarge, ConfigurationOverran, TreeTooLarge, OfferUnusable)}
"""Errors that a reader may answer with."""


def overran(why: str) -> ConfigurationOverran:
    """
    Args:
        why: What a fork server says of the end of a reader: `cpu`, `time`, `memory`, or anything else.
    """
    bound = {
        "cpu": f"needs more than {CPU_SECONDS} s of processor time",
        "time": "was not done in time",
        "memory": f"needs more than {MEMORY_BYTES >> 20:,} MB of memory",
    }.get(why, f"was ended ({why})")
    return ConfigurationOverran(f"reading the configuration {bound}, and was ended", hint=HINT)
