"""How far an activity is, in the words for a forge. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deployd.activity.journal import DONE, Journal
from deployd.activity.kinds import table_of
from deployd.deployment.kinds import KINDS
from deployd.deployment.results import Fetched, Planned
from deployd.forges.telling import Outcome
from deployd.settings import ProjectSettings
from deployd.state.activities import Activity
from deployd.state.entries import Entry

ENDS = {
    "pending": "waits", "success": "is live", "cancelled": "was cancelled", "superseded": "a newer push came",
    "failed": "failed",
}


def stage_of(activity: Activity, journal: Sequence[Entry]) -> str:
    """What is told at most once: the state, and while it runs its phase as well."""
    if activity.state != "in_progress":
        return activity.state
    return f"{activity.state} {phase_of(activity, journal)}".strip()


def phase_of(activity: Activity, journal: Sequence[Entry]) -> str:
    """The phase of what was begun last; empty before the first step."""
    table = table_of(KINDS, activity)
    phases = {step.name: step.phase for step in table.steps} if table is not None else {}
    return next((phases[entry.step] for entry in reversed(journal) if entry.step in phases), "")


def outcome_of(
    activity: Activity, journal: Sequence[Entry], project: ProjectSettings, repository: str, page: str,
) -> Outcome:
    """
    Args:
        page: Address of the activity's page; empty: it has none that people reach.
    """
    done = {entry.step for entry in journal if entry.event == DONE}
    kept = Journal(tuple(journal))
    fetched = kept.result("fetch", Fetched) if "fetch" in done else None
    planned = kept.result("read_and_plan", Planned) if "read_and_plan" in done else None
    return Outcome(
        repository=repository, commit=str(fetched.commit if fetched else activity.commit), branch=activity.branch,
        environment=activity.branch, is_production=activity.branch == project.production, state=activity.state,
        said=_said(activity, phase_of(activity, journal)), page=page,
        address=planned.urls[0] if planned and planned.urls else "",
    )


def _said(activity: Activity, phase: str) -> str:
    if activity.state == "in_progress":
        return f"{activity.kind}: {phase}" if phase else activity.kind
    said = f"{activity.kind} {ENDS[activity.state]}"
    return f"{said}: {activity.reason}" if activity.reason else said


def next_ones(untold: Iterable[Activity]) -> list[Activity]:
    """Of each environment and commit the one that counts: what waits behind it is told when it has ended, and what it
    came after is not told any more."""
    chosen: dict[tuple[object, object], Activity] = {}
    for activity in sorted(untold, key=lambda item: item.id):
        key = activity.environment, activity.commit
        if key not in chosen or activity.state != "pending":
            chosen[key] = activity
    return sorted(chosen.values(), key=lambda item: item.id)
