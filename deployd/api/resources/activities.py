"""Activities: lists, journals and logs; end one, and what becomes of an undo that is stuck."""

from __future__ import annotations

from typing import get_args

from aiohttp import web

from deployd.access.actions import Action
from deployd.access.caller import EVERY
from deployd.activity.line import Line
from deployd.api.answers import many, one, stream
from deployd.api.asked import Asked
from deployd.api.route import ACCEPTED, ACTIVITY, ApiRoute, Resource
from deployd.errors import Unusable
from deployd.queries.activities import ActivityShape
from deployd.queries.journal import EntryShape
from deployd.state.activities import State

activities = Resource()

STATES: tuple[str, ...] = get_args(State)
DEFAULT_ITEMS, MOST_ITEMS = 50, 1000


@activities.row(ApiRoute("GET", "/api/v1/activities", Action.SEE, "activities, newest first", ActivityShape, many=True,
                         query=("project", "environment", "state", "limit")))
async def list_activities(asked: Asked) -> web.Response:
    limit = min(asked.number("limit", DEFAULT_ITEMS), MOST_ITEMS)
    state, project, caller = asked.query.get("state"), asked.query.get("project"), asked.caller
    if state is not None and state not in STATES:
        raise Unusable(f"there is no state {state!r}", hint=f"name one of: {', '.join(STATES)}")
    seen = caller.projects if project is None else [project] if caller.may_see(project) else []
    environment = asked.query.get("environment")
    return many(await asked.queries.activities.latest(None if EVERY in seen else seen, environment, state, limit))


@activities.row(ApiRoute("GET", ACTIVITY, Action.SEE, "one activity", ActivityShape))
async def show_activity(asked: Asked) -> web.Response:
    return one(await asked.activity())


@activities.row(ApiRoute("GET", f"{ACTIVITY}/journal", Action.SEE, "every entry of its journal, oldest first",
                         EntryShape, many=True))
async def show_journal(asked: Asked) -> web.Response:
    found = await asked.activity()
    return many(await asked.queries.activities.journal(found.id))


@activities.row(ApiRoute("GET", f"{ACTIVITY}/log", Action.SEE, "its log, a line of JSON for each line", Line,
                         stream=True, query=("after", "follow")))
async def follow_log(asked: Asked) -> web.StreamResponse:
    found = await asked.activity()
    log = asked.queries.activities.log(found.id, asked.number("after", 0))
    return await stream(asked.request, log, follow=asked.is_set("follow"))


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
