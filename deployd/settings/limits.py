"""How much may be taken: of the host by all, of what all share by one project, and for how long it is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deployd.settings.frozen import MOST, MOST_DAYS, Frozen


class Shares(Frozen):
    """What one project may take of what all share, so that no project can take all of it."""

    builds: int | None = Field(None, ge=1, le=MOST)
    """Of `limits.builds` at once; None: all but one, as soon as there is another project."""
    deploys: int | None = Field(None, ge=1, le=MOST)
    """Of `limits.deploys`, as above; one of several is left for production."""
    environments: int = Field(100, ge=1, le=MOST)
    waiting: int = Field(200, ge=1, le=MOST)
    """Activities that wait; further pushes are refused, but a few of production, rollbacks and deletes."""
    build_mb: int = Field(20_000, ge=1, le=1000 * MOST)
    """Workspace and cache together, while a build runs."""
    build_files: int = Field(2_000_000, ge=1, le=1_000_000_000)
    """Files in them."""
    logs_mb: int = Field(2_000, ge=1, le=1000 * MOST)
    """Logs of activities; the oldest go first."""
    repository_mb: int = Field(10_000, ge=1, le=1000 * MOST)
    """Of git, for a project whose code is pushed here."""
    streams: int = Field(100, ge=1, le=MOST)
    """Requests that one token has under way at once: logs that it follows, plans; and as many transfers of git."""
    mail_mb: int = Field(50, ge=1, le=MOST)
    """The box of one environment; the oldest mails go first. As much may wait for a relay, and is not taken away."""
    mails_per_minute: int = Field(300, ge=1, le=MOST)
    """Of one environment; more are refused for a while."""


class Limits(Frozen):
    builds: int = Field(2, ge=1, le=MOST)
    deploys: int = Field(4, ge=1, le=MOST)
    environments: int = Field(1000, ge=1, le=MOST)
    """Of all projects together."""
    memory_mb: int | None = Field(None, ge=256, le=MOST)
    """All that may be used on the host, by whatever runs there; None: what it has, less a reserve."""
    tree_files: int = Field(500_000, ge=1, le=500_000)
    """Files and folders of a commit; what an export would write is counted before anything is written."""
    tree_mb: int = Field(4096, ge=1, le=MOST)


class CollectSettings(Frozen):
    """How long what nobody needs any more is kept; 0 days: it goes at the next round."""

    every_minutes: float = Field(60, ge=0, le=MOST)
    """How often housekeeping looks; 0: only when asked to."""
    deleted_days: float = Field(7, ge=0, le=MOST_DAYS)
    """Data of deleted environments and of removed services; 0: it goes with them."""
    slug_days: float = Field(2, ge=0, le=MOST_DAYS)
    """Slugs that no environment can go back to; a merge or a new branch often finds one of them."""
    image_days: float = Field(1, ge=0, le=MOST_DAYS)
    """Images of ours that were replaced by newer ones."""
    cache_days: float = Field(30, ge=0, le=MOST_DAYS)
    """Caches of builds in projects without a push."""
    cache_mb: int = Field(10_000, ge=0, le=1000 * MOST)
    """One that is larger is emptied."""
    kept_days: float = Field(14, ge=0, le=MOST_DAYS)
    """What steps of builds made, since a build last took it over."""
    kept_mb: int = Field(4_000, ge=0, le=1000 * MOST)
    """Of that, for each project; what was used least lately goes first."""
    merged_days: float | None = Field(None, ge=0, le=MOST_DAYS)
    """Environments whose branches are merged into the default branch, and to which nobody came for so long; None: they
    stay."""
    merged: Literal["deactivate", "delete"] = "deactivate"
    """What becomes of them."""
    log_days: float = Field(90, ge=0, le=MOST_DAYS)
    """Activities that ended, with their logs."""


class OutputSettings(Frozen):
    """What is kept of the output of containers that went, of each environment; the oldest goes first."""

    kept_mb: int = Field(20, ge=0, le=MOST)
    """0: nothing."""
    kept_days: float = Field(7, ge=0, le=MOST_DAYS)
