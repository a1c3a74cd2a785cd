"""What people and newer pushes do to an activity that waits or runs: its rows, each decided in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from deployd.activity.journal import CANCELLATION, SKIPPED, Journal
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.state import activities, entries
from deployd.state.activities import Activity
from deployd.state.entries import HELD, Entry


class EndsAlready(DeployError):
    """Somebody else has cancelled the activity, or a newer push has."""

    code: ClassVar[str] = "ends-already"


def cancel(db: sqlite3.Connection, activity: ActivityId, said: str, now: datetime) -> bool:
    """Who waits is cancelled, who runs gets the cancellation into its journal. False: it has ended already.

    Raises:
        EndsAlready: It ends for another reason than this one.
    """
    if activities.cancel_waiting(db, activity, said, now):
        return True
    found = activities.find(db, activity)
    if found is None or found.state not in activities.OPEN:
        return False
    before = Journal(entries.of_activity(db, activity)).cancellation()
    if before is not None and before.result != HELD and before.said != said:
        raise EndsAlready(
            f"activity {activity} ends already, since {before.at:%H:%M:%S}: {before.said}",
            hint="it has ended when what it began is undone",
        )
    entries.append(db, activity, Entry("", CANCELLATION, now, "cancelled", said))
    return True


def supersede(
    db: sqlite3.Connection, activity: ActivityId, newer: ActivityId, now: datetime,
    may_be: Callable[[Activity, Journal], bool],
) -> bool:
    """Who runs gets the cancellation into its journal, if it may be overtaken where it is now. False: it goes on."""
    found = activities.find(db, activity)
    if found is None or found.state not in activities.OPEN:
        return False
    journal = Journal(entries.of_activity(db, activity))
    if _ends_already(journal) or not may_be(found, journal):
        return False
    said = activities.superseded_by(found.kind, newer)
    entries.append(db, activity, Entry("", CANCELLATION, now, "superseded", said))
    return True


def _ends_already(journal: Journal) -> bool:
    cancellation = journal.cancellation()
    return cancellation is not None and cancellation.result != HELD   # who is only held would wait for an unlock


def stuck_step(db: sqlite3.Connection, activity: ActivityId) -> str | None:
    """The step whose undo is stuck."""
    found = activities.find(db, activity)
    if found is None or found.state not in activities.OPEN:
        return None
    stuck = Journal(entries.of_activity(db, activity)).stuck()
    return stuck.step if stuck else None


def said_of_undos(db: sqlite3.Connection, activity: ActivityId) -> str:
    """Who skipped the last undo that was stuck; empty: nobody did."""
    skipped = [entry for entry in entries.all_of_activity(db, activity) if entry.event == SKIPPED]
    last = skipped[-1] if skipped else None
    return f"{last.step.replace('_', ' ')} was {last.said} at {last.at:%H:%M:%S}" if last else ""


def skip_undo(db: sqlite3.Connection, activity: ActivityId, who: str, now: datetime) -> bool:
    """Leave undone what is stuck. False: nothing is, or it has just been begun again."""
    step = stuck_step(db, activity)
    if step is not None:
        entries.append(db, activity, Entry(step, SKIPPED, now, None, f"skipped by {who}"))
    return step is not None
