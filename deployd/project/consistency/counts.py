"""How much all applications together take of the host. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployd.project.findings.findings import Findings
from deployd.project.model.application import Application

MOST_MOUNTS = 300
"""In all instances together. Each is a mount of the host for each version, and the kernel has 100,000 for all."""
MOST_WORKERS = 100
"""In all applications together: each is a container."""
MOST_CRONS = 300
"""In all applications together: all that are due in the same minute are begun in one turn of the loop."""
MOST_RELATIONSHIPS = 1_000
"""In all instances together: Docker is asked for each of them, at each deployment."""


def check_counts(applications: Sequence[Application], findings: Findings) -> None:
    """What each instance or application has of its own, and all of them together take from the host."""
    mounts = [mount for application in applications for mount in application.all_mounts()]
    if len(mounts) > MOST_MOUNTS:
        findings.error(
            "too-many-mounts", mounts[MOST_MOUNTS].place,
            f"there are {len(mounts):,} mounts, those that workers take over included, and {MOST_MOUNTS} may be",
            "mount a folder that has the others in it, or write `mounts: {}` for workers that need none",
        )
    workers = [worker for application in applications for worker in application.workers]
    if len(workers) > MOST_WORKERS:
        findings.error(
            "too-many-workers", workers[MOST_WORKERS].place,
            f"there are {len(workers):,} workers, at most {MOST_WORKERS} are allowed", "use fewer",
        )
    crons = [cron for application in applications for cron in application.crons]
    if len(crons) > MOST_CRONS:
        findings.error(
            "too-many-crons", crons[MOST_CRONS].place,
            f"there are {len(crons):,} crons, at most {MOST_CRONS} are allowed",
            "let one cron start what is due at the same time",
        )
    instances = [application.web.instance for application in applications] + [item.instance for item in workers]
    relationships = [relationship for instance in instances for relationship in instance.relationships]
    if len(relationships) > MOST_RELATIONSHIPS:
        findings.error(
            "too-many-relationships", relationships[MOST_RELATIONSHIPS].place,
            f"there are {len(relationships):,} relationships, those that workers take over included, and"
            f" {MOST_RELATIONSHIPS:,} may be",
            "use fewer, or write `relationships: {}` for workers that need none",
        )
