"""The pages, what they are told while they are open, and the forms on them: one table.

Pages and streams are for everybody with a token or a session. Forms are for browsers that signed in: each carries a
word that no page of another site can know, and leads to a page when it is done (303), so that loading that one again
does nothing twice. Programs use the API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from deployd.access.actions import Action, refuse_unless_may
from deployd.access.concurrency import RequestLimit, RequestQueue
from deployd.access.cookies import COOKIE, SECURE_COOKIE, csrf_word, is_csrf_word, session_id
from deployd.access.errors import Forbidden, NotFound, Unauthorized
from deployd.commands.audit import Doing, action_of
from deployd.commands.commands import Commands
from deployd.console import people, tickets
from deployd.console.access_log import access_log
from deployd.console.activity import activity, cancel, follow_activity, raw_log, retry_undo, skip_undo
from deployd.console.asked import Asked, Follow, Form, Page, Told
from deployd.console.compare import compare
from deployd.console.confirm import delete, lock, push_again, redeploy, revert, unlock
from deployd.console.crons import crons, follow_crons, run_cron
from deployd.console.environment import environment, follow_environment
from deployd.console.host import follow_host, host
from deployd.console.live import Board
from deployd.console.mails import mails
from deployd.console.operations import operations, run_operation, run_source_operation
from deployd.console.output import follow_output, output
from deployd.console.overview import follow_overview, overview
from deployd.console.render import FILES, digest, read_file, render
from deployd.console.rests import activate, confirm_any, deactivate, describe, pause, wake
from deployd.console.sessions import end_session, sessions
from deployd.console.variables import delete_variable, set_variable, variables
from deployd.errors import DeployError
from deployd.http.callers import Callers
from deployd.http.compression import compressed
from deployd.http.door import Door
from deployd.http.errors import headers_of, status_of, with_errors_told
from deployd.http.event_stream import Streams
from deployd.http.failed_sign_ins import source_of
from deployd.http.slow_readers import in_time, send
from deployd.queries.queries import Queries

ENVIRONMENT = "/projects/{project}/environments/{environment}"
ACTIVITY = r"/activities/{id:\d{1,15}}"
PERSON = "/people/{person}"
TICKET = r"/tickets/{ticket:\d{1,15}}"
PAGES: Mapping[str, Page] = {
    "/": overview,
    ENVIRONMENT: environment,
    f"{ENVIRONMENT}/confirm": confirm_any,
    f"{ENVIRONMENT}/crons": crons,
    f"{ENVIRONMENT}/access-log": access_log,
    f"{ENVIRONMENT}/logs": output,
    f"{ENVIRONMENT}/mail": mails,
    f"{ENVIRONMENT}/variables": variables,
    f"{ENVIRONMENT}/operations": operations,
    f"{ENVIRONMENT}/promote": tickets.promote_page,
    ACTIVITY: activity,
    "/tickets": tickets.tickets,
    TICKET: tickets.ticket,
    "/sessions": sessions,
    "/host": host,
    "/compare": compare,
    "/account": people.account,
    "/people": people.people,
    PERSON: people.person,
}
STREAMS: Mapping[str, Follow] = {
    "/events": follow_overview,
    f"{ACTIVITY}/events": follow_activity,
    f"{ENVIRONMENT}/events": follow_environment,
    f"{ENVIRONMENT}/crons/events": follow_crons,
    f"{ENVIRONMENT}/logs/events": follow_output,
    "/host/events": follow_host,
}
FORMS: Mapping[str, Form] = {
    f"{ACTIVITY}/cancel": cancel,
    f"{ACTIVITY}/undo/retry": retry_undo,
    f"{ACTIVITY}/undo/skip": skip_undo,
    "/sessions/end": end_session,
    f"{ENVIRONMENT}/redeploy": redeploy,
    f"{ENVIRONMENT}/push-again": push_again,
    f"{ENVIRONMENT}/revert": revert,
    f"{ENVIRONMENT}/lock": lock,
    f"{ENVIRONMENT}/unlock": unlock,
    f"{ENVIRONMENT}/delete": delete,
    f"{ENVIRONMENT}/crons/run": run_cron,
    f"{ENVIRONMENT}/variables/set": set_variable,
    f"{ENVIRONMENT}/variables/delete": delete_variable,
    f"{ENVIRONMENT}/operations/run": run_operation,
    f"{ENVIRONMENT}/source-operations/run": run_source_operation,
    f"{ENVIRONMENT}/promote": tickets.promote,
    f"{TICKET}/approve": tickets.approve,
    f"{TICKET}/decline": tickets.decline,
    f"{TICKET}/withdraw": tickets.withdraw,
    f"{TICKET}/schedule": tickets.schedule,
    f"{TICKET}/emergency": tickets.emergency,
    f"{ENVIRONMENT}/activate": activate,
    f"{ENVIRONMENT}/deactivate": deactivate,
    f"{ENVIRONMENT}/pause": pause,
    f"{ENVIRONMENT}/wake": wake,
    f"{ENVIRONMENT}/describe": describe,
    "/people/add": people.add_person,
    f"{PERSON}/change": people.change_person,
    f"{PERSON}/roles": people.give_role,
    f"{PERSON}/leave": people.leave,
    f"{PERSON}/return": people.come_back,
    f"{PERSON}/tokens/add": people.add_token,
    f"{PERSON}/tokens/remove": people.remove_token,
    f"{PERSON}/keys/add": people.add_key,
    f"{PERSON}/keys/remove": people.remove_key,
}

PAGES_OF_ONE = 50
"""Pages that one token may wait for."""
STREAMS_OF_ONE = 600
"""Pages that the browsers of one token may have open: a team has one token, sometimes."""
AT_ONCE, AT_ONCE_OF_ONE = 4, 2
"""Pages that are made at the same time. One may have looked at thousands of requests, and is made in a thread."""
LARGEST_FORM_BYTES, MOST_FIELDS = 100_000, 1000
FORM_TYPE = "application/x-www-form-urlencoded"
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
                               "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOR_NOBODY_ELSE = {**SAFE, "Cache-Control": "no-store"}
FOR_EVER = {**SAFE, "Cache-Control": "public, max-age=31536000, immutable"}
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
FIELDS: web.RequestKey[dict[str, str]] = web.RequestKey("fields", dict)
LONGEST_PLACE = 2000
NOT_TYPED = frozenset({"csrf", "token", "seen", "locked", "value"})
"""Fields that are never put into an address: secrets, and what a page says of itself."""


@dataclass(frozen=True, kw_only=True)
class Console:
    """What is behind the pages."""

    queries: Queries
    commands: Commands
    callers: Callers
    board: Board
    streams: Streams
    door: Door


def console_routes(console: Console) -> list[web.RouteDef]:
    """Routes of the public application: the pages and what belongs to them."""
    of_one, open_pages = RequestLimit(PAGES_OF_ONE), RequestLimit(STREAMS_OF_ONE)
    guard = _Guard(console, of_one, open_pages, RequestQueue(AT_ONCE, AT_ONCE_OF_ONE))
    return [
        web.get(SIGN_IN, guard.show_sign_in), web.post(SIGN_IN, guard.sign_in), web.post(SIGN_OUT, guard.sign_out),
        *(web.get(path, guard.before_page(page)) for path, page in PAGES.items()),
        *(web.get(path, guard.before_stream(follow)) for path, follow in STREAMS.items()),
        *(web.post(path, guard.before_form(form)) for path, form in FORMS.items()),
        web.get(f"{ACTIVITY}/log.txt", guard.raw_log),
        web.get("/projects/{rest:.*}", guard.before_page(_nothing)),
        web.get("/activities/{rest:.*}", guard.before_page(_nothing)),
        web.get("/tickets/{rest:.*}", guard.before_page(_nothing)),
        *(web.get(f"/console/{name}", _file(name)) for name in FILES),
    ]


@dataclass(frozen=True, slots=True)
class _Guard:
    """Lets to a page who may see it, a few at once."""

    console: Console
    limit: RequestLimit
    open_pages: RequestLimit
    queue: RequestQueue

    def before_page(self, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            asked = self._asked(request)
            with self.limit.take(asked.caller.name):
                async with self.queue.take(asked.caller.name):
                    made = await compressed(request, _html(await page(asked)))
                return await send(request, made)

        return self._with_errors_told(answer)

    def before_stream(self, follow: Follow) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            asked = self._asked(request)
            with self.open_pages.take(asked.caller.name):
                events = self.console.callers.while_known(request, await follow(asked))
                return await self.console.streams.answer(request, events)

        return self._with_errors_told(answer)

    def before_form(self, form: Form) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.Response:
            fields = await _fields(request)
            asked = self._asked(request)
            self._refuse_strange(asked, fields)
            with self.limit.take(asked.caller.name):
                async with self.console.commands.audit.noting(_doing(asked, request)) as said:
                    place = await form(asked, fields)
                    said += asked.noted
            if isinstance(place, Told):
                return _html(place.page)
            raise web.HTTPSeeOther(place, headers=FOR_NOBODY_ELSE)

        return self._with_errors_told(answer)

    async def raw_log(self, request: web.Request) -> web.StreamResponse:
        async def answer(request: web.Request) -> web.StreamResponse:
            asked = self._asked(request)
            with self.limit.take(asked.caller.name):
                async with aclosing(await raw_log(asked)) as pieces:
                    made = web.StreamResponse(headers={
                        **FOR_NOBODY_ELSE, "Content-Type": "text/plain; charset=utf-8",
                        "Content-Disposition": f'attachment; filename="activity-{int(asked.names["id"])}.txt"',
                    })
                    await made.prepare(request)
                    async for piece in pieces:
                        if request.method == "HEAD":   # it would be taken for the next answer
                            break
                        async with in_time(request):
                            await made.write(piece)
                    return await send(request, made)

        return await with_errors_told(request, answer, self._teller(request))

    async def show_sign_in(self, request: web.Request) -> web.StreamResponse:
        return _html(_sign_in_page(_local(request.query.get("next", "/"))))

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        async def answer(request: web.Request) -> web.Response:
            fields = await _fields(request)
            secret, place = fields.get("token", "").strip(), _local(fields.get("next", "/"))
            caller = self.console.callers.by_header(f"Bearer {secret}") if secret else None
            self.console.door.bound_guesses(request, caller)
            assert self.console.callers.sessions is not None
            try:
                cookie, session = await self.console.callers.sessions.sign_in(
                    secret, _source(request), request.headers.get("User-Agent", ""),
                )
            except Unauthorized as error:
                return _html(_sign_in_page(place, error), status_of(error))
            response = web.HTTPSeeOther(place, headers=FOR_NOBODY_ELSE)
            secure = self.console.callers.is_secure(request)
            response.set_cookie(
                SECURE_COOKIE if secure else COOKIE, cookie, httponly=True, samesite="Lax", secure=secure, path="/",
                max_age=int((session.ends - session.began).total_seconds()),
            )
            raise response

        return await with_errors_told(request, answer, self._teller(request))

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        async def answer(request: web.Request) -> web.Response:
            cookie = self.console.callers.cookie(request)
            sessions = self.console.callers.sessions
            caller = sessions.caller(cookie) if sessions is not None else None
            if caller is not None and is_csrf_word(cookie, (await _fields(request)).get("csrf", "")):
                assert sessions is not None
                await sessions.end(session_id(cookie), caller.name)
            response = web.HTTPSeeOther(SIGN_IN, headers=FOR_NOBODY_ELSE)
            for name in (COOKIE, SECURE_COOKIE):
                response.del_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="Lax")
            raise response

        return await with_errors_told(request, answer, self._teller(request))

    def _asked(self, request: web.Request) -> Asked:
        """
        Raises:
            Unauthorized, Forbidden: Nobody who is known asks, or somebody who may not.
        """
        caller = self.console.callers.of(request)
        if caller is None:
            raise Unauthorized("this page needs a token")
        refuse_unless_may(caller, Action.SEE, request.match_info.get("project"))
        cookie = "" if "Authorization" in request.headers else self.console.callers.cookie(request)
        return Asked(
            caller, self.console.queries, self.console.commands, self.console.board, request.path, request.match_info,
            request.query, cookie, request.headers.get("Last-Event-ID", ""),
        )

    def _refuse_strange(self, asked: Asked, fields: Mapping[str, str]) -> None:
        """
        Raises:
            Forbidden: The form is on no page that we made for this session.
        """
        if not asked.cookie:
            raise Forbidden("forms are for browsers that have signed in", hint="programs use the API")
        if not is_csrf_word(asked.cookie, fields.get("csrf", "")):
            raise Forbidden("this form is not from a page of this session", hint="load the page again, and press again")

    def _with_errors_told(
        self, answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await with_errors_told(request, answer, self._teller(request))

        return handle

    def _teller(self, request: web.Request) -> Callable[[DeployError], web.Response]:
        def tell(error: DeployError) -> web.Response:
            if isinstance(error, Unauthorized):
                known = "Authorization" in request.headers
                page = _sign_in_page(_back(request), Unauthorized("this token is not known") if known else None)
                return _html(page, status_of(error), {"WWW-Authenticate": 'Bearer realm="deployd"'})
            caller = self.console.callers.of(request)
            cookie = "" if "Authorization" in request.headers else self.console.callers.cookie(request)
            csrf = csrf_word(cookie) if caller is not None and cookie else ""
            return _html(
                render("error.html", error=error, caller=caller, csrf=csrf, path=request.path, back=_back(request)),
                status_of(error), headers_of(error),
            )

        return tell


def _doing(asked: Asked, request: web.Request) -> Doing:
    names = dict(request.match_info)
    return Doing(
        who=asked.caller.name, by="console", address=_source(request), action=action_of(_pattern(request)),
        names=names,
    )


def _pattern(request: web.Request) -> str:
    """The path of the table's row."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else request.path


def _sign_in_page(place: str, error: DeployError | None = None) -> str:
    return render("sign_in.html", caller=None, csrf="", path=SIGN_IN, error=error, next=place)


async def _fields(request: web.Request) -> dict[str, str]:
    """What a form says; files are none. It is read here, before anybody is known: aiohttp would take a body without a
    length as large as a push, and decode it by whatever codec of Python its type names."""
    if request.content_type != FORM_TYPE:
        return {}
    body = bytearray()
    while len(body) <= LARGEST_FORM_BYTES and (more := await request.content.readany()):
        body += more
    if len(body) > LARGEST_FORM_BYTES or body.count(b"&") >= MOST_FIELDS:
        return {}
    request[FIELDS] = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return request[FIELDS]


def _back(request: web.Request) -> str:
    """Where somebody was who has to sign in first: of a form, the page that it is on, with what was typed."""
    if request.method == "GET":
        is_page = not request.path.endswith("/events")   # a stream has no page of its own
        return _local(request.path_qs if is_page else request.path.removesuffix("/events") or "/")
    typed = {
        name: value for name, value in request.get(FIELDS, {}).items() if name not in NOT_TYPED and value
    }
    page, query = _page_of_form(request)
    said = urlencode({**query, **typed})
    return _local(f"{page}?{said}" if said else page)


def _page_of_form(request: web.Request) -> tuple[str, dict[str, str]]:
    """(path, query) of the page on which a form is: the browser says it, else it is the one above."""
    with suppress(ValueError):
        said = urlsplit(request.headers.get("Referer", ""))
        if said.path and _local(said.path) == said.path:
            return said.path, dict(parse_qsl(said.query, max_num_fields=MOST_FIELDS))
    return request.path.rsplit("/", 1)[0].removesuffix("/undo") or "/", {}


def _local(path: str) -> str:
    """A path of ours, whatever was asked for: nobody is led elsewhere."""
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_ours and len(path) <= LONGEST_PLACE and not path.startswith((SIGN_IN, SIGN_OUT)) else "/"


def _source(request: web.Request) -> str:
    return source_of(request.remote, request.headers.get("X-Forwarded-For", ""))


def _html(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # A log may hold what is no text in any encoding; such a character becomes a question mark.
    return web.Response(
        body=text.encode(errors="replace"), status=status, content_type="text/html", charset="utf-8",
        headers={**FOR_NOBODY_ELSE, **(headers or {})},
    )


def _file(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        # A page of another deployd asks for another look: what it gets now must not be kept under that name.
        headers = FOR_EVER if request.query_string == digest(name) else FOR_NOBODY_ELSE
        made = web.Response(body=read_file(name), content_type=FILES[name], charset="utf-8", headers=headers)
        return await compressed(request, made)

    return handle


async def _nothing(asked: Asked) -> str:
    raise NotFound(f"there is no page at {asked.path}")
