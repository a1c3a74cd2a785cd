"""The journal of one activity, as the machine and the steps read it. Pure.

    (none) ─► STARTED ─► DONE
                 │  ├──► AGAIN ──► STARTED …      worth another try, at a time that is written with it
                 │  ├──► IN_DOUBT ─► STARTED …    the switch only: nobody knows whether it was done
                 │  └──► FAILED
                 └─────► UNDOING ─► UNDONE        also from AGAIN, DONE and FAILED
                            └─────► STUCK ─► UNDOING … or SKIPPED, with the name of who skipped it
    CANCELLATION: a person's cancel, a newer push, or a lock that was found; belongs to no step
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from deployd.state.entries import HELD, Entry

STARTED, DONE, FAILED, AGAIN_AT, IN_DOUBT = "started", "done", "failed", "again", "in_doubt"
UNDOING, UNDONE, STUCK, SKIPPED, CANCELLATION = "undoing", "undone", "stuck", "skipped", "wish"

MAY_FOLLOW: dict[str | None, frozenset[str]] = {
    None: frozenset({STARTED}),
    STARTED: frozenset({STARTED, DONE, FAILED, AGAIN_AT, IN_DOUBT, UNDOING}),
    AGAIN_AT: frozenset({STARTED, UNDOING}),
    IN_DOUBT: frozenset({STARTED}),
    DONE: frozenset({UNDOING}),
    FAILED: frozenset({UNDOING}),
    UNDOING: frozenset({UNDOING, UNDONE, STUCK}),
    STUCK: frozenset({UNDOING, SKIPPED}),
    UNDONE: frozenset(),
    SKIPPED: frozenset(),
}
"""Legal successions of the entries of one step."""

T = TypeVar("T")


@dataclass(frozen=True)
class Journal:
    """Entries of one activity, oldest first."""

    entries: tuple[Entry, ...] = ()

    def last(self, step: str) -> Entry | None:
        return next((entry for entry in reversed(self.entries) if entry.step == step), None)

    def count(self, step: str, event: str) -> int:
        return sum(entry.step == step and entry.event == event for entry in self.entries)

    def cancellation(self) -> Entry | None:
        """The first one. That the activity is held counts as long as nobody wants more of it."""
        found = [entry for entry in self.entries if entry.event == CANCELLATION]
        return next((entry for entry in found if entry.result != HELD), found[0] if found else None)

    def stuck(self) -> Entry | None:
        """The undo that failed and has not been begun again; there is one at most, for they go one after the other."""
        return next((entry for entry in reversed(self.entries)
                     if entry.event == STUCK and self.last(entry.step) is entry), None)

    def failure(self) -> Entry | None:
        """The first step that failed."""
        return next((entry for entry in self.entries if entry.event == FAILED), None)

    def result(self, step: str, kind: type[T]) -> T:
        """What a step gave, as the type that it gave.

        Raises:
            LookupError: The step has not been done.
        """
        entry = next((e for e in reversed(self.entries) if e.step == step and e.event == DONE), None)
        if entry is None or entry.result is None:
            raise LookupError(f"the step {step} has given nothing yet")
        return read_result(entry.result, kind)


def write_result(value: Any) -> str:
    """A step's result as JSON."""
    return _adapter(type(value)).dump_json(value).decode() if value is not None else "null"


def read_result(text: str, kind: type[T]) -> T:
    value: T = _adapter(kind).validate_python(json.loads(text), strict=False)
    return value


def check_succession(before: Sequence[Entry], step: str, event: str) -> None:
    """
    Raises:
        AssertionError: The entry must not follow; a bug of deployd.
    """
    last = next((entry.event for entry in reversed(before) if entry.step == step), None)
    assert event == CANCELLATION or event in MAY_FOLLOW[last], f"{step}: {event} must not follow {last}"


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""Made once for each type: they are slow to make and quick to use."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
