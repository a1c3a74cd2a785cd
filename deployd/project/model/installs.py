"""What an application installs by a lock file, and which of its files decide what comes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Install:
    tool: str
    """`composer`, `npm`, `pip`, `uv`."""
    command: str = ""
    """The line of the build hook that does it, one of its first; empty: the build flavor does."""
    inputs: str = ""
    """A regular expression for all paths, from the application's root, that decide what is installed."""
    why_not: str = ""
    """Why it may depend on other files too, or on the day; empty: it does not."""
    scripts_after: bool = False
    """Scripts of the project run when the packages are there; these may depend on any file."""
    scans_code: bool = False
    """The autoloader lists classes of the project's own code, also when it is not optimized."""
    may_fail: bool = False
    """The hook goes on when the command fails."""
