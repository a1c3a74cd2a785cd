"""Which branches become environments. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

OF_MACHINES = ("gh-readonly-queue/*", "dependabot/*", "renovate/*")
"""Branches of merge queues and of bots: each would be an environment that nobody asked for."""


def is_of_a_machine(branch: str) -> bool:
    """Whether a branch of a forge was made by the forge or a bot, and not by a person. These are not deployed."""
    return any(fnmatchcase(branch, pattern) for pattern in OF_MACHINES)
