"""Small types for what identifies a thing, so that two ids cannot be swapped unnoticed."""

from __future__ import annotations

import re
from typing import NamedTuple, NewType

ProjectId = NewType("ProjectId", str)
"""Name of a project in settings, paths and URLs: lower-case letters, digits and hyphens."""

EnvironmentName = NewType("EnvironmentName", str)
"""Machine name of an environment: the branch, cleaned, and seven characters of its hash (`feature-x-t6dnbai`)."""


class EnvironmentId(NamedTuple):
    """One environment of this daemon: by it lanes, rows, folders, names in Docker and sites of the router are told
    apart. A tuple, so that it is a key and the values of two columns as it is."""

    project: ProjectId
    name: EnvironmentName

    @classmethod
    def read(cls, text: str) -> EnvironmentId:
        """From `shop/main-t6dnbai`."""
        project, _, name = text.partition("/")
        return cls(ProjectId(project), EnvironmentName(name))

    def __str__(self) -> str:
        """`shop/main-t6dnbai`: what the router, logs and people's commands call it."""
        return f"{self.project}/{self.name}"


ActivityId = NewType("ActivityId", int)
"""Number of an activity, unique in a daemon, growing."""

OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""What ids of git's objects look like."""

CommitId = NewType("CommitId", str)
"""Full object id of a commit, 40 or 64 hexadecimal digits."""

TreeId = NewType("TreeId", str)
"""Full object id of a git tree."""

SlugKey = NewType("SlugKey", str)
"""Content key of a slug, 64 hexadecimal digits (SHA-256)."""
