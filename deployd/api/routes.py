"""The table of the API: this is the code, and the documentation and the OpenAPI document are made from it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deployd.api.errors import Forbidden, NotFound, Unusable
from deployd.api.ports import Board, Desk
from deployd.api.shapes import ROLES, ActivityShape, Caller, as_json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One thing that can be asked."""

    method: str
    path: str
    role: str
    """The least role; `""` needs no token."""
    says: str
    handler: Handler


def api_routes(board: Board, desk: Desk) -> tuple[ApiRoute, ...]:
    asked = _Api(board, desk)
    return (
        ApiRoute("GET", "/healthz", "", "alive: the daemon's loop answers", asked.healthz),
        ApiRoute("GET", "/readyz", "", "ready to take pushes; 503 with the reasons when it is not", asked.readyz),
        ApiRoute("GET", "/status", "", "what monitoring polls; environments only with a token", asked.status),
        ApiRoute("GET", "/api/v1/projects", "viewer", "projects that the caller may see", asked.projects),
        ApiRoute("GET", "/api/v1/environments", "viewer", "environments (`?project=`)", asked.environments),
        ApiRoute("GET", "/api/v1/activities", "viewer",
                 "activities, newest first (`?project= &environment= &state= &limit=`)", asked.activities),
        ApiRoute("GET", "/api/v1/activities/{id}", "viewer", "one activity", asked.activity),
        ApiRoute("GET", "/api/v1/activities/{id}/journal", "viewer", "every entry of its journal", asked.journal),
        ApiRoute("GET", "/api/v1/activities/{id}/log", "viewer",
                 "its log as lines of JSON (`?after=` a number, `?follow=1` until it ends)", asked.log),
        ApiRoute("POST", "/api/v1/projects/{project}/environments/{environment}/redeploy", "contributor",
                 "deploy what is live once more", asked.redeploy),
        ApiRoute("POST", "/api/v1/projects/{project}/environments/{environment}/rollback", "contributor",
                 "go back to the version before, or to the one of an activity (`{\"to\": 12}`)", asked.rollback),
        ApiRoute("POST", "/api/v1/activities/{id}/cancel", "contributor", "end an activity before its switch",
                 asked.cancel),
        ApiRoute("POST", "/api/v1/projects/{project}/plan", "viewer",
                 "what a push of a working tree would do (`{\"branch\", \"files\", \"paths\", \"listings\"}`)",
                 asked.plan),
    )


class _Api:
    def __init__(self, board: Board, desk: Desk) -> None:
        self._board = board
        self._desk = desk

    async def healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(self, _: web.Request) -> web.Response:
        reasons = await self._board.not_ready()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def status(self, request: web.Request) -> web.Response:
        caller = request.get("caller")
        wanted = caller is not None and request.query.get("environments") != "0"
        shown = as_json(await self._board.status(with_environments=wanted))
        if caller is not None:
            shown["environments"] = [item for item in shown["environments"] if caller.may_see(item["project"])]
        return web.json_response(shown)

    async def projects(self, request: web.Request) -> web.Response:
        caller = request["caller"]
        return _list([item for item in await self._board.projects() if caller.may_see(item.id)])

    async def environments(self, request: web.Request) -> web.Response:
        caller = request["caller"]
        found = await self._board.environments(request.query.get("project"))
        return _list([item for item in found if caller.may_see(item.project)])

    async def activities(self, request: web.Request) -> web.Response:
        caller, query = request["caller"], request.query
        limit = min(_number(query.get("limit", "50"), "limit"), 1000)
        found = await self._board.activities(
            query.get("project"), query.get("environment"), query.get("state"), limit,
        )
        return _list([item for item in found if caller.may_see(item.project)])

    async def activity(self, request: web.Request) -> web.Response:
        return web.json_response(as_json(await self._activity(request)))

    async def journal(self, request: web.Request) -> web.Response:
        found = await self._activity(request)
        return _list(await self._board.journal(found.id))

    async def log(self, request: web.Request) -> web.StreamResponse:
        found = await self._activity(request)
        follow = request.query.get("follow") == "1"
        after = _number(request.query.get("after", "0"), "after")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        lines = self._board.log(found.id, after)
        try:
            while (taken := await lines.take()) is not None:
                if not taken and not follow:
                    break
                # A heartbeat is an empty line: a reader who has left is noticed, and proxies see that it lives.
                data = "".join(f"{json.dumps(line)}\n" for line in taken) or "\n"
                await response.write(data.encode())
        except ConnectionError:
            return response
        finally:
            lines.close()
        await response.write_eof()
        return response

    async def redeploy(self, request: web.Request) -> web.Response:
        project, environment = self._environment(request)
        return _accepted(await self._desk.redeploy(project, environment, request["caller"].name))

    async def rollback(self, request: web.Request) -> web.Response:
        project, environment = self._environment(request)
        asked = await request.json() if request.can_read_body else {}
        to = _number(str(asked["to"]), "to") if asked.get("to") is not None else None
        return _accepted(await self._desk.rollback(project, environment, to, request["caller"].name))

    async def cancel(self, request: web.Request) -> web.Response:
        found = await self._activity(request)
        return _accepted(await self._desk.cancel(found.id, request["caller"].name))

    async def plan(self, request: web.Request) -> web.Response:
        project = request.match_info["project"]
        if not request["caller"].may_see(project):
            raise NotFound(f"there is no project {project}")
        offered = await request.json()
        if not isinstance(offered, dict) or not offered.get("branch"):
            raise Unusable("a plan needs a branch", mend="send {\"branch\": …, \"files\": …}")
        return web.json_response({"lines": await self._desk.plan(project, offered["branch"], offered)})

    async def _activity(self, request: web.Request) -> ActivityShape:
        number = _number(request.match_info["id"], "the activity's number")
        found = await self._board.activity(number)
        if found is None or not request["caller"].may_see(found.project):
            raise NotFound(f"there is no activity {number}")
        return found

    @staticmethod
    def _environment(request: web.Request) -> tuple[str, str]:
        project, environment = request.match_info["project"], request.match_info["environment"]
        if not request["caller"].may_see(project):
            raise NotFound(f"there is no project {project}")
        return project, environment


def refuse_role(caller: Caller, least: str) -> None:
    """
    Raises:
        Forbidden: The caller's role does less.
    """
    if ROLES.index(caller.role) < ROLES.index(least):
        raise Forbidden(f"{caller.name} is a {caller.role}, and this needs a {least}")


def _list(items: Any) -> web.Response:
    return web.json_response({"items": as_json(items)})


def _accepted(activity: ActivityShape) -> web.Response:
    return web.json_response(as_json(activity), status=202)


def _number(text: str, what: str) -> int:
    if not text.isdecimal():
        raise Unusable(f"{what} must be a whole number, not {text!r}")
    return int(text)

