"""The one door through which an activity comes to be, in the transaction of whoever asks.

    share ─► the environment's row, for a kind that makes one ─► the activity's row ─► (the caller wakes the lanes)

Pushes, redeploys and rollbacks, lost pushes and housekeeping come through here, so what a new activity has to pass
stands in one place, and what is special about a kind in its row of `steps.KINDS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime

from deployd.deployment.share import Wanted
from deployd.deployment.steps import KINDS
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger

Refuse = Callable[[sqlite3.Connection, ProjectId, Collection[Wanted]], None]
"""`share.refuse_beyond_share` with the settings."""


def ask_for(
    db: sqlite3.Connection, refuse: Refuse, kind: str, environment: EnvironmentId, branch: str,
    commit: CommitId | None, trigger: Trigger, *, now: datetime,
) -> ActivityId:
    """Have one more activity wait in the lane of an environment.

    Raises:
        ShareTaken: The project may have no more.
    """
    of = KINDS[kind]
    if of.has_share:
        refuse(db, environment.project, [Wanted(kind, branch)])
    if of.makes_environment:
        environments.ensure(db, environment, branch, now)
    return activities.enqueue(
        db, NewActivity(environment, branch, kind, of.table.version, commit, trigger), now,
    )
