"""The page of an activity: its log as it is written, its phases beside those of earlier runs, and what can be done."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from deployd.access.actions import Action
from deployd.activity.line import Line
from deployd.activity.log_pages import LogPage, PhaseStart
from deployd.console.asked import Asked
from deployd.console.line_events import line_event, segments
from deployd.console.live import Part, Parts, part_event
from deployd.console.waterfall import Waterfall, waterfall
from deployd.http.event_stream import SILENCE_SECONDS, Event, Events
from deployd.queries.activities import ActivityShape
from deployd.queries.runs import Run

MOST_LINES = 1_000
"""Of a log that stand on a page; the others are a link away."""
MOST_FOUND = 500
MOST_ENTRIES = 500
"""Of the journal, the last ones: an undo that is stuck is tried for days."""
LOOK_SECONDS = 1.0
OPEN = ("pending", "in_progress")


@dataclass(frozen=True, slots=True)
class Section:
    """The lines of a phase that stand on the page."""

    start: PhaseStart | None
    """None: what stands before the first phase."""
    seconds: float | None
    lines: tuple[Line, ...]
    missing: int
    """Lines of the phase that do not stand here."""


async def activity(asked: Asked) -> str:
    """A log of 200,000 lines is opened at its end, or where `from` says."""
    found = await asked.activity()
    start, wanted = asked.number("from"), asked.query.get("q", "").strip()[:200]
    logs = asked.queries.logs
    page = await logs.page(found.id, MOST_LINES, start)
    matches, count = await logs.find(found.id, wanted, MOST_FOUND) if wanted else ([], 0)
    run = await asked.queries.runs.find(found.id)
    assert run is not None, found.id
    at_end = page.after == 0 and not wanted
    journal = await asked.queries.activities.journal(found.id)
    return await asked.page(
        "activity.html", activity=found, run=run, parts=_parts(found, run), page=page, sections=sections(page),
        wanted=wanted, matches=matches, count=count, is_open=found.state in OPEN,
        live=f"/activities/{found.id}/events?after={page.last}" if at_end else "",
        journal=journal[-MOST_ENTRIES:], entries=len(journal), segments=segments,
        compared=_compared(found, run), again=again(found, run.to),
        ticket=await asked.queries.tickets.of_activity(found.id),
    )


def again(found: ActivityShape, to: int | None) -> str:
    """Where it is said what the same would do once more; empty: the daemon asks for this by itself. Pure.

    Args:
        to: Of a rollback: the activity whose version was wanted.
    """
    query = {
        "push": {"do": "push-again", "to": str(found.id)}, "redeploy": {"do": "redeploy"},
        "rollback": {"do": "revert", "to": str(to)}, "delete": {"do": "delete"},
    }.get(found.kind)
    if query is None:
        return ""
    return f"/projects/{found.project}/environments/{found.environment}/confirm?{urlencode(query)}"


def _compared(found: ActivityShape, run: Run) -> tuple[str, str]:
    """(text, query) of the way to what it changes, or changed; empty before it has a plan, or when nothing was live."""
    if not run.plan or run.before_by is None:
        return "", ""
    if found.state == "success":
        return "What it changed", urlencode({"a": run.before_by, "b": found.id})
    return "What changed since the live one", urlencode({"a": f"{found.project}/{found.environment}", "b": found.id})


async def follow_activity(asked: Asked) -> Events:
    """Its lines as they are written, and what changes beside them."""
    found = await asked.activity()
    from_id = asked.from_id if asked.from_id.isdecimal() and len(asked.from_id) < 16 else ""
    after = int(from_id) if from_id else asked.number("after") or 0
    return _follow(asked, found.id, after)


async def _follow(asked: Asked, number: int, after: int) -> Events:
    log, known, silence = asked.queries.logs.follow(number, after), -1, 0.0

    async def look() -> Parts:
        return await _parts_now(asked, number)

    with closing(log), asked.board.reading(f"activity {number}", look) as changed_since:
        while True:
            lines = await log.take(LOOK_SECONDS)
            is_over, told = lines is None, b"".join(map(line_event, lines or ()))
            del lines   # who takes nothing any more keeps no more than the bytes
            known, changed = changed_since(known)
            if told or changed:
                yield told + b"".join(changed)
            if is_over:
                for name, part in (await look()).items():   # as it is at the end, whoever looked when
                    yield part_event(name, part.html(name))
                yield Event("end", "")
                return
            silence = 0.0 if told or changed else silence + LOOK_SECONDS
            if silence >= SILENCE_SECONDS:
                silence = 0.0
                yield None


async def _parts_now(asked: Asked, number: int) -> Parts:
    found = await asked.queries.activities.find(number)
    run = await asked.queries.runs.find(number)
    assert found is not None
    assert run is not None
    return _parts(found, run)


def _parts(found: ActivityShape, run: Run) -> Parts:
    fall: Waterfall = waterfall(run.timeline, run.earlier, run.now)
    return {
        "facts": Part("activity_facts", {"activity": found, "run": _without_time(run)}),
        "waterfall": Part("activity_waterfall", {"fall": fall, "kind": found.kind}),
        "deeds": Part("activity_deeds", {"activity": found, "stuck": run.stuck}),
    }


def _without_time(run: Run) -> Mapping[str, Any]:
    """What of a run stands in words; time passes in the waterfall alone."""
    names = ("phase", "subject", "author", "commit", "before", "freeze", "stuck", "bad")
    return {name: getattr(run, name) for name in names}


def sections(page: LogPage) -> list[Section]:
    """The lines of a page by phase, folded on the page."""
    found: list[Section] = []
    starts: list[PhaseStart | None] = [None, *page.phases]
    for number, start in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else None
        first = start.number if start else 0
        end = following.number if following else 10**15
        lines = tuple(line for line in page.lines if first <= line.number < end and line.kind != "phase")
        total = end - first - 1 if following and start else len(lines)
        if start is None and not lines:
            continue
        found.append(Section(start, _seconds(start, following), lines, max(0, total - len(lines))))
    return found


def _seconds(start: PhaseStart | None, following: PhaseStart | None) -> float | None:
    if start is None or following is None:
        return None
    return (datetime.fromisoformat(following.at) - datetime.fromisoformat(start.at)).total_seconds()


async def raw_log(asked: Asked) -> AsyncGenerator[bytes]:
    """The whole log as plain text."""
    found = await asked.activity()
    return asked.queries.logs.plain(found.id)


async def cancel(asked: Asked, _: Mapping[str, str]) -> str:
    found = await asked.activity(Action.CANCEL)
    await asked.commands.activities.cancel(found.id, asked.caller.name)
    return f"/activities/{found.id}"


async def retry_undo(asked: Asked, _: Mapping[str, str]) -> str:
    found = await asked.activity(Action.CANCEL)
    await asked.commands.activities.retry_undo(found.id)
    return f"/activities/{found.id}"


async def skip_undo(asked: Asked, _: Mapping[str, str]) -> str:
    found = await asked.activity(Action.SKIP_UNDO)
    await asked.commands.activities.skip_undo(found.id, asked.caller.name)
    return f"/activities/{found.id}"
