"""The pages, and who may see them: the same callers as of the API, by the same tokens.

All of them are read-only: whatever a page of another site makes a browser ask for, nothing changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from deployd.access.actions import Action, refuse_unless_may
from deployd.access.concurrency import RequestLimit, RequestQueue
from deployd.access.errors import NotFound, Unauthorized
from deployd.access.tokens import FindCaller
from deployd.console.access_log import access_log
from deployd.console.asked import Asked, Page
from deployd.console.environment import environment
from deployd.console.mails import mails
from deployd.console.output import output
from deployd.console.overview import overview
from deployd.console.render import FILES, read_file, render
from deployd.errors import DeployError
from deployd.http.errors import headers_of, status_of, with_errors_told
from deployd.queries.queries import Queries

ENVIRONMENT = "/projects/{project}/environments/{environment}"
PAGES: Mapping[str, Page] = {
    "/": overview,
    ENVIRONMENT: environment,
    f"{ENVIRONMENT}/access-log": access_log,
    f"{ENVIRONMENT}/logs": output,
    f"{ENVIRONMENT}/mail": mails,
}

PAGES_OF_ONE = 50
"""Pages that one token may wait for."""
AT_ONCE, AT_ONCE_OF_ONE = 4, 2
"""Pages that are made at the same time. One may have looked at thousands of requests, and is made in a thread."""
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                               "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_NOBODY_ELSE = {**SAFE, "Cache-Control": "no-store"}
FOR_EVER = {**SAFE, "Cache-Control": "public, max-age=31536000, immutable"}


def console_routes(queries: Queries, find: FindCaller) -> list[web.RouteDef]:
    """Routes of the public application: the pages and what belongs to them."""
    guard = _Guard(queries, find, RequestLimit(PAGES_OF_ONE), RequestQueue(AT_ONCE, AT_ONCE_OF_ONE))
    return [
        *(web.get(path, guard.before(page)) for path, page in PAGES.items()),
        web.get("/projects/{rest:.*}", guard.before(_nothing)),
        *(web.get(f"/console/{name}", _file(name)) for name in FILES),
    ]


@dataclass(frozen=True, slots=True)
class _Guard:
    """Lets to a page who may see it, a few at once."""

    queries: Queries
    find: FindCaller
    limit: RequestLimit
    queue: RequestQueue

    def before(self, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.Response:
            caller = self.find(request.headers.get("Authorization"))
            if caller is None:
                raise Unauthorized("this page needs a token")
            refuse_unless_may(caller, Action.SEE)
            asked = Asked(caller, self.queries, request.path, request.match_info, request.query)
            with self.limit.take(caller.name):
                async with self.queue.take(caller.name):
                    text = await page(asked)
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


def _file(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=read_file(name), content_type=FILES[name], charset="utf-8", headers=FOR_EVER)

    return handle


async def _nothing(asked: Asked) -> str:
    raise NotFound(f"there is no page at {asked.path}")
