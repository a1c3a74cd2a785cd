"""Activities: lists, journals and logs; end one, and what becomes of an undo that is stuck."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from aiohttp import web

from deployd.access.actions import Action
from deployd.access.errors import NotFound
from deployd.activity.line import Line
from deployd.api.answers import many, one, page, stream
from deployd.api.asked import Asked, number_of
from deployd.api.route import ACCEPTED, ACTIVITY, ApiRoute, Resource
from deployd.errors import Unusable
from deployd.http.event_stream import Event, Events, wants_events
from deployd.queries.activities import ActivityShape, FollowedLog
from deployd.queries.journal import EntryShape
from deployd.queries.run_shapes import RunShape, run_shape
from deployd.state.activities import OPEN, State

activities = Resource()

NOTHING_MORE = 204
STATES: tuple[str, ...] = get_args(State)


@activities.row(ApiRoute("GET", "/api/v1/activities", Action.SEE, "activities, newest first", ActivityShape, many=True,
                         cursor=True, query=("project", "environment", "state")))
async def list_activities(asked: Asked) -> web.Response:
    before, limit = asked.cursor()
    state, environment = asked.query.get("state"), asked.query.get("environment")
    if state is not None and state not in STATES:
        raise Unusable(f"there is no state {state!r}", hint=f"name one of: {', '.join(STATES)}")
    found = await asked.queries.activities.latest(asked.projects(), environment, state, limit + 1, before=before)
    return page(asked.request, found, limit, lambda item: item.id)


@activities.row(ApiRoute("GET", ACTIVITY, Action.SEE, "one activity", ActivityShape))
async def show_activity(asked: Asked) -> web.Response:
    return one(await asked.activity())


@activities.row(ApiRoute("GET", f"{ACTIVITY}/journal", Action.SEE, "every entry of its journal, oldest first",
                         EntryShape, many=True))
async def show_journal(asked: Asked) -> web.Response:
    found = await asked.activity()
    return many(await asked.queries.activities.journal(found.id))


@activities.row(ApiRoute("GET", f"{ACTIVITY}/log", Action.SEE, "its log, a line of JSON for each line", Line,
                         stream=True, events=True, query=("after", "follow")))
async def follow_log(asked: Asked) -> web.StreamResponse:
    found = await asked.activity()
    if wants_events(asked.request):
        return await _log_as_events(asked, found)
    log = asked.queries.activities.log(found.id, asked.number("after", 0))
    return await stream(asked, log, follow=asked.is_set("follow"))


@activities.row(ApiRoute("GET", f"{ACTIVITY}/run", Action.SEE, "its plan, its commit, and how long its phases took",
                         RunShape))
async def show_run(asked: Asked) -> web.Response:
    found = await asked.activity()
    run = await asked.queries.runs.find(found.id)
    if run is None:
        raise NotFound(f"there is no activity {found.id}")
    return one(run_shape(found.id, run))


@activities.row(ApiRoute("POST", f"{ACTIVITY}/cancel", Action.CANCEL, "end an activity before its switch",
                         ActivityShape, status=ACCEPTED))
async def cancel(asked: Asked) -> web.Response:
    found = await asked.activity()
    return one(await asked.commands.activities.cancel(found.id, asked.who), ACCEPTED)


@activities.row(ApiRoute("POST", f"{ACTIVITY}/undo/retry", Action.CANCEL, "try an undo that is stuck at once",
                         ActivityShape, status=ACCEPTED))
async def retry_undo(asked: Asked) -> web.Response:
    found = await asked.activity()
    return one(await asked.commands.activities.retry_undo(found.id), ACCEPTED)


@activities.row(ApiRoute("POST", f"{ACTIVITY}/undo/skip", Action.SKIP_UNDO,
                         "leave an undo that is stuck, and go on with the rest", ActivityShape, status=ACCEPTED))
async def skip_undo(asked: Asked) -> web.Response:
    found = await asked.activity()
    return one(await asked.commands.activities.skip_undo(found.id, asked.who), ACCEPTED)


async def _log_as_events(asked: Asked, found: ActivityShape) -> web.StreamResponse:
    """A browser comes back whenever an answer ends; 204 tells it that there is nothing more to come for."""
    place = asked.last_event_id
    after = number_of(place, "Last-Event-ID") if place else asked.number("after", 0)
    log = asked.queries.activities.log(found.id, after)
    lines = await log.rest()
    if not lines and place and found.state not in OPEN:
        log.close()
        return web.Response(status=NOTHING_MORE)
    return await asked.tell(_events(log, lines))


async def _events(log: FollowedLog, first: Sequence[dict[str, Any]]) -> Events:
    lines: Sequence[dict[str, Any]] | None = first
    try:
        while lines is not None:
            for line in lines:
                yield Event("line", json.dumps(line, ensure_ascii=False), str(line["number"]))
            if lines and lines[-1]["kind"] == "end":
                return
            lines = await log.take()
            if lines == []:
                yield None
    finally:
        log.close()
