"""What comes of a release that was found bad: it is written down, and the version before is asked for again.

In the transaction in which its activity ends, so that there is one rollback and not two whoever dies meanwhile. The
rollback is the one that people ask for too. It is watched, and never reverted itself; so there are no circles.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from deployd.activity.journal import read_result
from deployd.activity.kinds import Kind, Progress
from deployd.deployment.results import Watched
from deployd.ids import ActivityId
from deployd.release.version import Version
from deployd.state import activities, audit, bad_releases, environments, locks, tickets
from deployd.state.activities import BY_CHECKS, NewActivity, Trigger
from deployd.state.audit import Deed
from deployd.state.bad_releases import BadRelease
from deployd.state.locks import Lock

WHO = "deployd"
COME_BY_THEMSELVES = frozenset({"push", "promote", "pause", "wake"})
"""What waits for an environment without anybody having looked at what is live there."""


def note_bad_release(
    back: Kind[Any, Any], db: sqlite3.Connection, progress: Progress, now: datetime,
) -> str:
    """
    Args:
        back: The kind of what brings an earlier version back.

    Returns:
        What is to be said of it behind the reason of the activity; empty: the release is not bad.
    """
    try:
        watched = progress.journal.result("watch_release", Watched)
    except LookupError:
        return ""
    activity = progress.activity
    if watched.verdict != "bad" or bad_releases.is_bad(db, activity.id):
        return ""
    number, stays = _go_back(back, db, progress, watched, now)
    bad_releases.put(db, BadRelease(
        activity.id, activity.environment, watched.said, now, number, watched.back_to if number else None,
    ))
    said = (
        f"activity {number} brings the version of activity {watched.back_to} back" if number
        else f"it stays live: {stays}"
    )
    audit.append(db, Deed(
        at=now, who=WHO, by=BY_CHECKS, address="", action="revert" if number else "report",
        project=activity.project, environment=activity.environment.name,
        said=f"activity {activity.id} is a bad release: {watched.said}; {said}",
    ))
    return f"; {said}"


def _go_back(
    back: Kind[Any, Any], db: sqlite3.Connection, progress: Progress, watched: Watched, now: datetime,
) -> tuple[ActivityId | None, str]:
    """(the rollback that was asked for, else why there is none)"""
    activity = progress.activity
    if watched.back_to is None:
        return None, watched.stays
    waiting = activities.waiting_behind(db, activity.environment, activity.id)
    wishes = [item for item in waiting if item.kind not in COME_BY_THEMSELVES]
    if wishes:   # who asks for a rollback, a redeploy or a delete by hand has seen to it
        return None, f"{wishes[0].kind} {wishes[0].id} of {wishes[0].trigger.who} comes next"
    text = environments.version_of(db, watched.back_to)
    if text is None:
        return None, f"the version of activity {watched.back_to} is not kept any more"
    if tickets.of_activity(db, activity.id) is not None:   # it is protected: after a rollback it is locked
        _lock(db, progress, f"rolled back to activity {watched.back_to} after a bad release", now)
    trigger = Trigger(WHO, BY_CHECKS, to=watched.back_to)
    commit = read_result(text, Version).commit
    return activities.enqueue(db, NewActivity(back, activity.environment, activity.branch, commit, trigger), now), ""


def _lock(db: sqlite3.Connection, progress: Progress, why: str, now: datetime) -> None:
    """Somebody's own lock keeps its words."""
    locks.put(db, locks.lasting(db, Lock(progress.activity.environment, WHO, why, now)))
