"""Small types for what identifies a thing, so that two ids cannot be swapped unnoticed."""

from __future__ import annotations

from typing import NewType

ProjectId = NewType("ProjectId", str)
"""Name of a project in settings, paths and URLs: lower-case letters, digits and hyphens."""

EnvironmentName = NewType("EnvironmentName", str)
"""Machine name of an environment: the branch, cleaned, and seven characters of its hash (`feature-x-t6dnbai`)."""

ActivityId = NewType("ActivityId", int)
"""Number of an activity, unique in a daemon, growing."""

CommitId = NewType("CommitId", str)
"""Full object id of a commit, 40 or 64 hexadecimal digits."""

TreeId = NewType("TreeId", str)
"""Full object id of a git tree."""

SlugKey = NewType("SlugKey", str)
"""Content key of a slug, 64 hexadecimal digits (SHA-256)."""
