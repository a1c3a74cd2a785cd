"""What a megabyte is: the same of memory and of disks, in every setting whose name ends in `_mb`, in every text."""

from __future__ import annotations

MEGABYTE = 1024 * 1024
"""Bytes. As Docker, git, nginx and the platforms' `disk` count."""


def megabytes(size_bytes: float) -> float:
    """For texts: `f"{megabytes(size):.1f} MB"`."""
    return size_bytes / MEGABYTE
