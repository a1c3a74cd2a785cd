"""The table of the API: this is the code, and the documentation and the OpenAPI document are made from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_args

from aiohttp import web
from pydantic import BaseModel

from deployd.access.actions import LEAST, Action
from deployd.access.caller import EVERY, NOBODY, Caller
from deployd.access.errors import Forbidden, NotFound
from deployd.activity.line import Line
from deployd.api.bodies import (
    LARGE_AT_ONCE,
    LARGE_AT_ONCE_OF_ONE,
    CollectBody,
    LockBody,
    RollbackBody,
    read_body,
    read_bytes,
)
from deployd.api.metrics import CONTENT_TYPE, render_metrics
from deployd.api.ports import Board, Bulk, Desk, Lines
from deployd.api.query import number_of, place_in_output, wanted_output
from deployd.api.shapes import (
    ActivityShape,
    AliveShape,
    CertificateShape,
    CollectShape,
    EntryShape,
    EnvironmentShape,
    LockedShape,
    MailShape,
    OutputShape,
    PassShape,
    PlanShape,
    ProjectShape,
    ReadyShape,
    RequestShape,
    StatusShape,
    UseShape,
    as_json,
)
from deployd.errors import Unusable
from deployd.intake.lasting import LASTING
from deployd.intake.seats import Turns
from deployd.reading.plan_body import PlanBody
from deployd.state.activities import State

STATES: tuple[str, ...] = get_args(State)
ACCEPTED = 202
MOST_ITEMS = 1000
MESSAGE = "message/rfc822"
STALLED_SECONDS = 120.0
"""A reader who takes nothing for so long is cut off: what it reads is kept open for it."""
MOST_REQUESTS = 100_000

Handler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]
"""Who asks is NOBODY on routes that need no token."""


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One thing that can be asked."""

    method: str
    path: str
    action: Action | None
    """None needs no token."""
    says: str
    handler: Handler
    shape: type
    """What is answered: `{"items": [shape, …]}` with `many`, and lines of JSON with `stream`."""
    many: bool = False
    stream: bool = False
    text: str = ""
    """Type of what is answered when it is no JSON; `shape` is `str` then."""
    query: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    status: int = 200

    @property
    def role(self) -> str:
        """The least role that may ask; `""` for everybody."""
        return LEAST[self.action].value if self.action is not None else ""


def api_routes(board: Board, desk: Desk) -> tuple[ApiRoute, ...]:
    asked = _Api(board, desk)
    project, activity = "/api/v1/projects/{project}", "/api/v1/activities/{id}"
    environment = f"{project}/environments/{{environment}}"
    return (
        ApiRoute("GET", "/healthz", None, "alive: the daemon's loop answers", asked.healthz, AliveShape),
        ApiRoute("GET", "/readyz", None, "ready to take pushes; 503 with the reasons when it is not", asked.readyz,
                 ReadyShape),
        ApiRoute("GET", "/status", None, "what monitoring polls; environments only with a token", asked.status,
                 StatusShape, query=("environments",)),
        ApiRoute("GET", "/metrics", None, "figures for Prometheus; environments only with a token", asked.metrics, str,
                 text=CONTENT_TYPE),
        ApiRoute("GET", "/api/v1/projects", Action.SEE, "projects that the caller may see", asked.projects,
                 ProjectShape, many=True),
        ApiRoute("GET", "/api/v1/environments", Action.SEE, "environments, of one project or of all",
                 asked.environments, EnvironmentShape, many=True, query=("project",)),
        ApiRoute("GET", "/api/v1/usage", Action.SEE, "what applications, workers and services use now", asked.usage,
                 UseShape, many=True, query=("project", "environment")),
        ApiRoute("GET", "/api/v1/certificates", Action.SEE, "what each host shows over TLS, and what stands in the way",
                 asked.certificates, CertificateShape, many=True, query=("project",)),
        ApiRoute("GET", "/api/v1/activities", Action.SEE, "activities, newest first", asked.activities, ActivityShape,
                 many=True, query=("project", "environment", "state", "limit")),
        ApiRoute("GET", activity, Action.SEE, "one activity", asked.activity, ActivityShape),
        ApiRoute("GET", f"{activity}/journal", Action.SEE, "every entry of its journal, oldest first", asked.journal,
                 EntryShape, many=True),
        ApiRoute("GET", f"{activity}/log", Action.SEE, "its log, a line of JSON for each line", asked.log, Line,
                 stream=True, query=("after", "follow")),
        ApiRoute("GET", f"{environment}/access-log", Action.SEE, "its last requests, and those that come",
                 asked.access_log, RequestShape, stream=True, query=("lines", "follow")),
        ApiRoute("GET", f"{environment}/mail", Action.READ_MAIL,
                 "mails of its applications that lie here, newest first", asked.mails, MailShape, many=True),
        ApiRoute("GET", f"{environment}/mail/{{id}}", Action.READ_MAIL, "one of them, byte for byte", asked.mail, str,
                 text=MESSAGE),
        ApiRoute("GET", f"{environment}/logs", Action.SEE, "what its containers and crons print", asked.output,
                 OutputShape, stream=True,
                 query=("app", "worker", "service", "cron", "version", "since", "after", "lines", "follow")),
        ApiRoute("POST", f"{environment}/redeploy", Action.DEPLOY, "deploy what is live once more", asked.redeploy,
                 ActivityShape, status=ACCEPTED),
        ApiRoute("POST", f"{environment}/rollback", Action.DEPLOY,
                 "go back to the version before the live one, or to that of an activity", asked.rollback,
                 ActivityShape, body=RollbackBody, status=ACCEPTED),
        ApiRoute("POST", f"{environment}/lock", Action.LOCK, "keep what is live: pushes are built, and wait",
                 asked.lock, LockedShape, body=LockBody),
        ApiRoute("POST", f"{environment}/unlock", Action.LOCK, "let the pushes go live that were held", asked.unlock,
                 LockedShape),
        ApiRoute("POST", f"{environment}/pass", Action.PREVIEW,
                 "links that show a new version while visitors wait for it", asked.make_pass, PassShape),
        ApiRoute("POST", f"{activity}/cancel", Action.CANCEL, "end an activity before its switch", asked.cancel,
                 ActivityShape, status=ACCEPTED),
        ApiRoute("POST", f"{activity}/undo/retry", Action.CANCEL, "try an undo that is stuck at once", asked.retry_undo,
                 ActivityShape, status=ACCEPTED),
        ApiRoute("POST", f"{activity}/undo/skip", Action.SKIP_UNDO,
                 "leave an undo that is stuck, and go on with the rest", asked.skip_undo, ActivityShape,
                 status=ACCEPTED),
        ApiRoute("GET", "/api/v1/collect", Action.COLLECT, "what housekeeping would take away now", asked.collectable,
                 CollectShape, query=("deleted",)),
        ApiRoute("POST", "/api/v1/collect", Action.COLLECT, "take away now what nobody needs any more", asked.collect,
                 CollectShape, body=CollectBody),
        ApiRoute("POST", f"{project}/plan", Action.PLAN, "what a push of a working tree would do", asked.plan,
                 PlanShape, body=PlanBody),
    )


class _Api:
    def __init__(self, board: Board, desk: Desk) -> None:
        self._board = board
        self._desk = desk
        self._bodies = Turns(LARGE_AT_ONCE, LARGE_AT_ONCE_OF_ONE)

    async def healthz(self, _: web.Request, _caller: Caller) -> web.Response:
        return web.json_response(as_json(AliveShape(alive=True)))

    async def readyz(self, _: web.Request, _caller: Caller) -> web.Response:
        reasons = await self._board.not_ready()
        ready = ReadyShape(not reasons, tuple(reasons))
        return web.json_response(as_json(ready), status=200 if ready.ready else 503)

    async def status(self, request: web.Request, caller: Caller) -> web.Response:
        wanted = caller != NOBODY and request.query.get("environments") != "0"
        shown = as_json(await self._board.status(with_environments=wanted, with_names=EVERY in caller.projects))
        shown["environments"] = [item for item in shown["environments"] if caller.may_see(item["project"])]
        return web.json_response(shown)

    async def metrics(self, request: web.Request, caller: Caller) -> web.Response:
        status = await self._board.status(with_environments=False, with_names=False)
        page = render_metrics(status, await self._board.figures(), caller.may_see)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    async def projects(self, request: web.Request, caller: Caller) -> web.Response:
        return _list([item for item in await self._board.projects() if caller.may_see(item.id)])

    async def environments(self, request: web.Request, caller: Caller) -> web.Response:
        found = await self._board.environments(request.query.get("project"))
        return _list([item for item in found if caller.may_see(item.project)])

    async def usage(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = request.query.get("project"), request.query.get("environment")
        if project is not None and not caller.may_see(project):
            raise NotFound(f"there is no project {project}")
        if project is None and environment is not None:
            raise Unusable("an environment is one of a project", mend="name the `project` too")
        found = await self._board.uses(project, environment)
        return _list([item for item in found if caller.may_see(item.project)])

    async def certificates(self, request: web.Request, caller: Caller) -> web.Response:
        project = request.query.get("project")
        found = [item for item in self._board.certificates() if project in (None, item.project)]
        return _list([item for item in found if caller.may_see(item.project)])

    async def activities(self, request: web.Request, caller: Caller) -> web.Response:
        query = request.query
        limit = min(number_of(query.get("limit", "50"), "limit"), MOST_ITEMS)
        state = query.get("state")
        if state is not None and state not in STATES:
            raise Unusable(f"there is no state {state!r}", mend=f"name one of: {', '.join(STATES)}")
        project = query.get("project")
        seen = caller.projects if project is None else [project] if caller.may_see(project) else []
        found = await self._board.activities(None if EVERY in seen else seen, query.get("environment"), state, limit)
        return _list(found)

    async def activity(self, request: web.Request, caller: Caller) -> web.Response:
        return web.json_response(as_json(await self._activity(request, caller)))

    async def journal(self, request: web.Request, caller: Caller) -> web.Response:
        found = await self._activity(request, caller)
        return _list(await self._board.journal(found.id))

    async def log(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        found = await self._activity(request, caller)
        after = number_of(request.query.get("after", "0"), "after")
        follow = request.query.get("follow") == "1"
        return await _stream(request, self._board.log(found.id, after), follow=follow)

    async def access_log(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        project, environment = self._environment(request, caller)
        lines = min(number_of(request.query.get("lines", "100"), "lines"), MOST_REQUESTS)
        found = await self._board.access_log(project, environment, lines)
        return await _stream(request, found, follow=request.query.get("follow") == "1")

    async def mails(self, request: web.Request, caller: Caller) -> web.Response:
        return _list(await self._board.mails(*self._environment(request, caller)))

    async def mail(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = self._environment(request, caller)
        number = number_of(request.match_info["id"], "the mail's number")
        message = await self._board.mail(project, environment, number)
        return web.Response(body=message, headers={   # no browser shows what a stranger wrote as a page of ours
            "Content-Type": MESSAGE, "Content-Disposition": f'attachment; filename="{number}.eml"',
            "X-Content-Type-Options": "nosniff",
        })

    async def output(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        project, environment = self._environment(request, caller)
        start, lines = place_in_output(request.query)
        found = await self._board.output(project, environment, wanted_output(request.query), start=start, lines=lines)
        # Docker is asked for it: a reload ends it, and the reader comes again with the place of its last line.
        return await _stream(request, found, follow=request.query.get("follow") == "1", lasts=False)

    async def redeploy(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = self._environment(request, caller)
        return _accepted(await self._desk.redeploy(project, environment, caller.name))

    async def rollback(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = self._environment(request, caller)
        body = await read_body(request, RollbackBody)
        return _accepted(await self._desk.rollback(project, environment, body.to, caller.name, lock=body.lock))

    async def lock(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = self._environment(request, caller)
        body = await read_body(request, LockBody)
        return web.json_response(as_json(await self._desk.lock(project, environment, body.reason, caller.name)))

    async def unlock(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = self._environment(request, caller)
        return web.json_response(as_json(await self._desk.unlock(project, environment, caller.name)))

    async def make_pass(self, request: web.Request, caller: Caller) -> web.Response:
        project, environment = self._environment(request, caller)
        return web.json_response(as_json(await self._desk.make_pass(project, environment, caller.name)))

    async def cancel(self, request: web.Request, caller: Caller) -> web.Response:
        found = await self._activity(request, caller)
        return _accepted(await self._desk.cancel(found.id, caller.name))

    async def retry_undo(self, request: web.Request, caller: Caller) -> web.Response:
        found = await self._activity(request, caller)
        return _accepted(await self._desk.retry_undo(found.id))

    async def skip_undo(self, request: web.Request, caller: Caller) -> web.Response:
        found = await self._activity(request, caller)
        return _accepted(await self._desk.skip_undo(found.id, caller.name))

    async def collectable(self, request: web.Request, caller: Caller) -> web.Response:
        _refuse_unless_all(caller)
        return web.json_response(as_json(await self._desk.collectable(deleted=request.query.get("deleted") == "1")))

    async def collect(self, request: web.Request, caller: Caller) -> web.Response:
        _refuse_unless_all(caller)
        body = await read_body(request, CollectBody)
        return web.json_response(as_json(await self._desk.collect(caller.name, deleted=body.deleted)))

    async def plan(self, request: web.Request, caller: Caller) -> web.Response:
        project = request.match_info["project"]
        if not caller.may_see(project):
            raise NotFound(f"there is no project {project}")
        body = await read_bytes(request, self._bodies, caller.name)
        return web.json_response(as_json(await self._desk.plan(project, body)))

    async def _activity(self, request: web.Request, caller: Caller) -> ActivityShape:
        number = number_of(request.match_info["id"], "the activity's number")
        found = await self._board.activity(number)
        if found is None or not caller.may_see(found.project):
            raise NotFound(f"there is no activity {number}")
        return found

    @staticmethod
    def _environment(request: web.Request, caller: Caller) -> tuple[str, str]:
        project, environment = request.match_info["project"], request.match_info["environment"]
        if not caller.may_see(project):
            raise NotFound(f"there is no project {project}")
        return project, environment


def _list(items: Any) -> web.Response:
    return web.json_response({"items": as_json(items)})


def _accepted(activity: ActivityShape) -> web.Response:
    return web.json_response(as_json(activity), status=ACCEPTED)


async def _stream(
    request: web.Request, lines: Lines | Bulk, *, follow: bool, lasts: bool = True,
) -> web.StreamResponse:
    """What is there, and with `follow` what comes, until it ends or the reader leaves, or takes nothing any more.

    Args:
        lasts: It goes on when the daemon reads its settings again.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    if follow and lasts:
        request[LASTING] = True
    try:
        while (taken := await (lines.take() if follow else lines.rest())) is not None:
            if not taken and not follow:
                break
            async with asyncio.timeout(STALLED_SECONDS):
                await response.write(_encoded(taken))
    except ConnectionError:
        return response
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        return response
    finally:
        lines.close()
    await response.write_eof()
    return response


def _refuse_unless_all(caller: Caller) -> None:
    if EVERY not in caller.projects:
        raise Forbidden("housekeeping is for those who may see every project", mend="use an admin's token for `*`")


def _encoded(lines: list[dict[str, Any]] | bytes) -> bytes:
    """A heartbeat is an empty line: a reader who has left is noticed, and proxies see that it lives."""
    if isinstance(lines, bytes):
        return lines or b"\n"
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode() or b"\n"
