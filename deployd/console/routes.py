"""The pages, and who may see them: the same callers as of the API, by the same tokens.

All of them are read-only: whatever a page of another site makes a browser ask for, nothing changes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from deployd.access.actions import Action, refuse_unless_may
from deployd.access.caller import EVERY, Caller
from deployd.access.errors import NotFound, Unauthorized
from deployd.api.door import FindCaller
from deployd.api.errors import headers_of, status_of, with_errors_told
from deployd.api.ports import Board
from deployd.api.shapes import EnvironmentShape
from deployd.console.output import KINDS as OF_KINDS
from deployd.console.output import newest_lines, parse_wanted_lines
from deployd.console.overview import grouped
from deployd.console.render import FILES, read_file, render
from deployd.console.requests import LINES, STATUSES, newest_of, parse_wanted
from deployd.console.visitors import traffic_of, visitors_now
from deployd.errors import DeployError
from deployd.intake.seats import Seats, Turns
from deployd.output.sources import Wanted

OVERVIEW = "/"
ENVIRONMENT = "/projects/{project}/environments/{environment}"
ACCESS_LOG = f"{ENVIRONMENT}/access-log"
OUTPUT = f"{ENVIRONMENT}/logs"
MAIL = f"{ENVIRONMENT}/mail"
PAGES = (OVERVIEW, ENVIRONMENT, ACCESS_LOG, OUTPUT, MAIL)

PAGES_OF_ONE = 50
"""Pages that one token may wait for."""
AT_ONCE, AT_ONCE_OF_ONE = 4, 2
"""Pages that are made at the same time. One may have looked at thousands of requests, and is made in a thread."""
ACTIVITIES = 10
MOST_MAILS = 200
MOST_PRINTED_BYTES = 16_000_000
"""Of lines that are looked at for a page, the newest: a container may print some of 16 KiB."""
FOLLOW_SECONDS = 5
"""New requests stand in the log a second or two after they ended."""
KINDS = {
    "own": "the operator's own", "acme": "from an authority", "local": "from this host's own authority",
    "default": "the one that the router signed itself",
}
"""{kind of a certificate: what people read}"""
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                               "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_NOBODY_ELSE = {**SAFE, "Cache-Control": "no-store"}
FOR_EVER = {**SAFE, "Cache-Control": "public, max-age=31536000, immutable"}

Page = Callable[[web.Request, Caller], Awaitable[str]]


def console_routes(board: Board, find: FindCaller) -> list[web.RouteDef]:
    """Routes of the public application: the pages and what belongs to them."""
    console = _Console(board)
    handlers = (console.overview, console.environment, console.access_log, console.output, console.mail)
    room = _Room(Seats(PAGES_OF_ONE), Turns(AT_ONCE, AT_ONCE_OF_ONE))
    return [
        *(web.get(path, _guarded(handler, find, room)) for path, handler in zip(PAGES, handlers, strict=True)),
        web.get("/projects/{rest:.*}", _guarded(_nothing, find, room)),
        *(web.get(f"/console/{name}", _file(name)) for name in FILES),
    ]


@dataclass(frozen=True, slots=True)
class _Room:
    """How many pages are asked for and made at once."""

    seats: Seats
    turns: Turns


def _guarded(page: Page, find: FindCaller, room: _Room) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.Response:
        caller = find(request.headers.get("Authorization"))
        if caller is None:
            raise Unauthorized("this page needs a token")
        refuse_unless_may(caller, Action.SEE)
        with room.seats.take(caller.name):
            async with room.turns.take(caller.name):
                text = await page(request, caller)
        return _html(text)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await with_errors_told(request, answer, _told)

    return handle


def _told(error: DeployError) -> web.Response:
    page = "sign_in.html" if isinstance(error, Unauthorized) else "error.html"
    return _html(render(page, error=error, caller=None), status_of(error), headers_of(error))


def _html(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # A log may hold what is no text in any encoding; such a character becomes a question mark.
    return web.Response(
        body=text.encode(errors="replace"), status=status, content_type="text/html", charset="utf-8",
        headers={**FOR_NOBODY_ELSE, **(headers or {})},
    )


async def _rendered(page: str, **values: Any) -> str:
    """In a thread: a thousand rows take 0.1 s, in which nobody else would be answered."""
    return await asyncio.to_thread(render, page, **values)


def _file(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=read_file(name), content_type=FILES[name], charset="utf-8", headers=FOR_EVER)

    return handle


async def _nothing(request: web.Request, _: Caller) -> str:
    raise NotFound(f"there is no page at {request.path}")


class _Console:
    def __init__(self, board: Board) -> None:
        self._board = board

    async def overview(self, _: web.Request, caller: Caller) -> str:
        seen = [item for item in await self._board.projects() if caller.may_see(item.id)]
        figures = await self._board.figures()
        groups = grouped(seen, await self._board.environments(None), await self._board.newest(), figures.router)
        status = await self._board.status(with_environments=False, with_names=EVERY in caller.projects)
        return await _rendered("overview.html", caller=caller, groups=groups, reasons=status.reasons)

    async def environment(self, request: web.Request, caller: Caller) -> str:
        found = await self._environment(request, caller)
        certificates = {item.host: item for item in self._board.certificates() if item.project == found.project}
        router = (await self._board.figures()).router
        return await _rendered(
            "environment.html", caller=caller, environment=found, visitors=visitors_now(found, router),
            traffic=traffic_of(found, router), certificates=certificates, kinds=KINDS,
            addresses=await self._board.addresses(found.project, found.name),
            activities=await self._board.activities([found.project], found.name, None, ACTIVITIES),
        )

    async def access_log(self, request: web.Request, caller: Caller) -> str:
        found = await self._environment(request, caller)
        wanted = parse_wanted(request.query)
        looked_at = await self._requests(found, wanted.looks_at)
        shown = await asyncio.to_thread(newest_of, looked_at, wanted)
        return await _rendered(
            "access_log.html", caller=caller, environment=found, wanted=wanted, requests=shown,
            looked_at=len(looked_at), statuses=STATUSES, lines=LINES, follow_seconds=FOLLOW_SECONDS,
            several_hosts=len({item.host for item in shown}) > 1,
        )

    async def output(self, request: web.Request, caller: Caller) -> str:
        found = await self._environment(request, caller)
        wanted = parse_wanted_lines(request.query)
        shown, looked_at = await asyncio.to_thread(newest_lines, await self._printed(found, wanted.looks_at), wanted)
        return await _rendered(
            "output.html", caller=caller, environment=found, wanted=wanted, printed=shown, looked_at=looked_at,
            kinds=OF_KINDS, lines=LINES, follow_seconds=FOLLOW_SECONDS,
        )

    async def mail(self, request: web.Request, caller: Caller) -> str:
        refuse_unless_may(caller, Action.READ_MAIL)
        found = await self._environment(request, caller)
        mails = (await self._board.mails(found.project, found.name))[:MOST_MAILS]
        return await _rendered("mail.html", caller=caller, environment=found, mails=mails)

    async def _environment(self, request: web.Request, caller: Caller) -> EnvironmentShape:
        """The environment of the address (machine name or branch).

        Raises:
            NotFound: There is none for this caller.
        """
        project, name = request.match_info["project"], request.match_info["environment"]
        found = await self._board.environments(project) if caller.may_see(project) else []
        for item in found:
            if name in (item.name, item.branch):
                return item
        raise NotFound(f"there is no environment {name} of a project {project}",
                       mend="it was deleted, or the address has a typing error, or the token is for other projects")

    async def _printed(self, environment: EnvironmentShape, lines: int) -> bytes:
        output = await self._board.output(environment.project, environment.name, Wanted(), start="", lines=lines)
        found: deque[bytes] = deque()
        size = 0
        try:
            while taken := await output.rest():
                found.append(taken)
                size += len(taken)
                while size > MOST_PRINTED_BYTES and len(found) > 1:
                    size -= len(found.popleft())
        finally:
            output.close()
        return b"".join(found)

    async def _requests(self, environment: EnvironmentShape, lines: int) -> list[dict[str, Any]]:
        tail = await self._board.access_log(environment.project, environment.name, lines)
        found: list[dict[str, Any]] = []
        try:
            while taken := await tail.rest():
                found += taken
        finally:
            tail.close()
        return found
