"""Entries of the journal, with what a freeze did."""

from __future__ import annotations

from datetime import UTC, datetime

from deployd.activity.journal import write_result
from deployd.deployment.results import Switched
from deployd.queries.journal import FreezeShape, entry_shape
from deployd.router.table import Released
from deployd.state.entries import Entry

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
DID = Released(6, 0.9, 1, 2, 3)
SHOWN = FreezeShape(held=6, longest_wait_seconds=0.9, expired=1, left=2, refused=3)


def test_the_end_of_a_freeze_tells_what_it_did() -> None:
    switched = Entry("switch", "done", AT, write_result(Switched(AT, DID)))
    thawed = Entry("freeze", "undone", AT, write_result(DID))
    assert [entry_shape(entry).freeze for entry in (switched, thawed)] == [SHOWN, SHOWN]


def test_other_entries_tell_of_no_freeze() -> None:
    for entry in (Entry("switch", "started", AT), Entry("freeze", "undone", AT), Entry("build_apps", "done", AT, "{}")):
        assert entry_shape(entry).freeze is None
