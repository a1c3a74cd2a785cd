"""Exit statuses of every command; docs/cli.md explains them. 2 is click's own."""

from __future__ import annotations

WELL = 0
FAILED = 1
USAGE = 2
CONFIGURATION = 3
UNREACHABLE = 4
NO_SUCH_THING = 5
REFUSED = 6
CANNOT_RUN = 7
UNDECIDED = 8
"""Neither well nor wrong yet; it goes on without us."""
INTERRUPTED = 130
"""By Ctrl-C, as shells say it; what was asked for goes on."""
