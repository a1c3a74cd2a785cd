"""An entry of the journal as the API shows it. Pure."""

from __future__ import annotations

from deployd.activity.journal import DONE, UNDONE, read_result
from deployd.api.shapes import EntryShape, FreezeShape
from deployd.deployment.results import Switched
from deployd.router.table import Released
from deployd.state.entries import Entry


def entry_shape(entry: Entry) -> EntryShape:
    did = _freeze_that_ended(entry)
    freeze = FreezeShape(did.held, did.longest_seconds, did.expired, did.left, did.refused) if did else None
    return EntryShape(entry.step, entry.event, entry.at.isoformat(), entry.said, freeze)


def _freeze_that_ended(entry: Entry) -> Released | None:
    """By the switch, or because the deployment was reverted."""
    if entry.result is None:
        return None
    if (entry.step, entry.event) == ("switch", DONE):
        return read_result(entry.result, Switched).released
    if (entry.step, entry.event) == ("freeze", UNDONE):
        return read_result(entry.result, Released)
    return None
