"""Entries of an activity's journal, with what a freeze did. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.activity.journal import DONE, UNDONE, read_result
from deployd.deployment.results import Switched
from deployd.router.table import Released
from deployd.state.entries import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeShape:
    """What a freeze did."""

    held: int
    longest_wait_seconds: float
    expired: int
    left: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryShape:
    """An entry of the journal."""

    step: str
    event: str
    at: str
    said: str
    freeze: FreezeShape | None = None
    """What the freeze did that ended with it: with the switch, or undone when the deployment was reverted."""


def entry_shape(entry: Entry) -> EntryShape:
    did = _freeze_that_ended(entry)
    return EntryShape(
        step=entry.step, event=entry.event, at=entry.at.isoformat(), said=entry.said,
        freeze=_freeze_shape(did) if did else None,
    )


def _freeze_shape(did: Released) -> FreezeShape:
    return FreezeShape(
        held=did.held, longest_wait_seconds=did.longest_seconds, expired=did.expired, left=did.left,
        refused=did.refused,
    )


def _freeze_that_ended(entry: Entry) -> Released | None:
    """By the switch, or because the deployment was reverted."""
    if entry.result is None:
        return None
    if (entry.step, entry.event) == ("switch", DONE):
        return read_result(entry.result, Switched).released
    if (entry.step, entry.event) == ("freeze", UNDONE):
        return read_result(entry.result, Released)
    return None
