"""A hub of Mercure: who may publishes updates, who listens to their topics gets them as Server-Sent Events.

    POST /.well-known/mercure    topic, data, private, id, type, retry     a token with `publish`
    GET  /.well-known/mercure    topic …, Last-Event-ID                    a token with `subscribe`, or nobody's
    GET  /healthz

The key of the tokens is a file, which may come later and change. Subscriptions are no topics here.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from history import History, Update
from tokens import Refused, Rights, rights_of
from topics import is_covered

PATH = "/.well-known/mercure"
LARGEST_UPDATE, MOST_TOPICS, LONGEST_ID, LONGEST_TOPIC = 1 << 20, 100, 255, 2048
MOST_EXPRESSIONS = 50
"""In all topics of one who listens: each update is compared with all of them."""
MOST_LISTENERS, MOST_WAITING = 2000, 500
HEARTBEAT_SECONDS, WRITE_SECONDS = 40.0, 10.0
ONE_LINE = re.compile(r"[^\r\n\0]*")


@dataclass(eq=False)
class Listener:
    topics: list[str]
    rights: Rights
    waiting: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    behind: bool = False
    """He takes too long: what he missed is in the history."""

    def wants(self, update: Update) -> bool:
        if update.private and not is_covered(self.rights.subscribe or [], update.topics):
            return False
        return is_covered(self.topics, update.topics)

    def hand(self, event: bytes) -> None:
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.behind = True


class Hub:
    def __init__(
        self, history: History, key: Callable[[], bytes], *, anonymous: bool = False, origins: tuple[str, ...] = (),
    ) -> None:
        self._history = history
        self._key = key
        self._anonymous = anonymous
        self._origins = origins
        self._listeners: set[Listener] = set()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_UPDATE + 65_536, middlewares=[self._cors])
        app.add_routes([
            web.post(PATH, self.publish), web.get(PATH, self.subscribe), web.options(PATH, self.preflight),
            web.get("/healthz", self.health),
        ])
        return app

    async def health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def preflight(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers={
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS", "Access-Control-Max-Age": "600",
            "Access-Control-Allow-Headers": "Authorization, Cache-Control, Content-Type, Last-Event-ID",
        })

    async def publish(self, request: web.Request) -> web.Response:
        rights = self._rights(request, publishes=True)
        if rights is None or rights.publish is None:
            raise web.HTTPUnauthorized(text="a token with the claim mercure.publish is needed\n")
        update = _read_update(await request.post())
        if update.private and not all(is_covered(rights.publish, [topic]) for topic in update.topics):
            raise web.HTTPForbidden(text="mercure.publish does not cover these topics\n")
        self._history.add(update)
        event = update.event()
        for listener in self._listeners:
            if listener.wants(update):
                listener.hand(event)
        return web.Response(text=update.id)

    async def subscribe(self, request: web.Request) -> web.StreamResponse:
        rights = self._rights(request)
        if rights is None and not self._anonymous:
            raise web.HTTPUnauthorized(text="a token with the claim mercure.subscribe is needed\n")
        topics = [topic for name in ("topic", "topic[]") for topic in request.query.getall(name, [])]
        if not topics or len(topics) > MOST_TOPICS or any(len(topic) > LONGEST_TOPIC for topic in topics):
            raise web.HTTPBadRequest(text=f"1 to {MOST_TOPICS} topics of {LONGEST_TOPIC} characters are needed\n")
        if sum(topic.count("{") for topic in topics) > MOST_EXPRESSIONS:
            raise web.HTTPBadRequest(text=f"at most {MOST_EXPRESSIONS} expressions are taken\n")
        if len(self._listeners) >= MOST_LISTENERS:
            raise web.HTTPServiceUnavailable(text="too many listeners\n")
        listener = Listener(topics, rights or Rights())
        last = request.headers.get("Last-Event-ID") or _query(request, "lastEventID", "last-event-id", "Last-Event-ID")
        # no await between the look into the history and being among the listeners: nothing is missed
        found, missed = self._history.since(last) if last else (self._history.last_id(), iter(()))
        self._listeners.add(listener)
        try:
            return await self._stream(request, listener, found, missed)
        finally:
            self._listeners.discard(listener)

    async def _stream(
        self, request: web.Request, listener: Listener, found: str, missed: Iterable[Update],
    ) -> web.StreamResponse:
        answer = web.StreamResponse(headers={
            "Content-Type": "text/event-stream", "Cache-Control": "private, no-cache, no-store, must-revalidate",
            "X-Accel-Buffering": "no", "Last-Event-ID": found, **self._allowed(request),
        })
        await answer.prepare(request)
        try:
            await _write(answer, b":\n")
            for update in missed:
                if listener.wants(update):
                    await _write(answer, update.event())
                else:
                    await asyncio.sleep(0)   # others have their turn
            while not listener.behind:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        event = await listener.waiting.get()
                except TimeoutError:
                    event = b":\n"
                await _write(answer, event)
        except (ConnectionError, TimeoutError):
            pass   # he left, or takes nothing any more
        return answer

    def _rights(self, request: web.Request, *, publishes: bool = False) -> Rights | None:
        """What the caller's token gives; None: he has none.

        Raises:
            HTTPUnauthorized: He has one that is not right.
        """
        said = request.headers.get("Authorization", "")
        token = said[7:] if said.startswith("Bearer ") else _query(request, "authorization")
        if not token and (cookie := request.cookies.get("mercureAuthorization")):
            if publishes and _origin(request) not in self._origins:   # a page elsewhere sends it along as well
                raise web.HTTPUnauthorized(text="a cookie counts for pages of cors_origins alone\n")
            token = cookie
        if not token:
            return None
        try:
            return rights_of(token, self._key())
        except Refused as error:
            raise web.HTTPUnauthorized(text=f"the token is refused: {error}\n") from None

    def _allowed(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin", "")
        if origin and origin in self._origins:
            return {
                "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
                "Access-Control-Expose-Headers": "Last-Event-ID",
            }
        return {"Access-Control-Allow-Origin": "*", "Vary": "Origin"} if origin and "*" in self._origins else {}

    @web.middleware
    async def _cors(self, request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        try:
            answer = await handler(request)   # type: ignore[misc]
        except web.HTTPException as error:
            error.headers.update(self._allowed(request))
            raise
        if not answer.prepared:
            answer.headers.update(self._allowed(request))
        return answer   # type: ignore[no-any-return]


def _read_update(form: object) -> Update:
    topics, data = form.getall("topic", []), form.get("data", "")   # type: ignore[attr-defined]
    named = {name: form.get(name, "") for name in ("id", "type", "retry")}   # type: ignore[attr-defined]
    if not all(isinstance(value, str) for value in (*topics, data, *named.values())):
        raise web.HTTPBadRequest(text="files are no updates\n")
    if not topics or len(topics) > MOST_TOPICS or any(not 0 < len(topic) <= LONGEST_TOPIC for topic in topics):
        raise web.HTTPBadRequest(text=f"1 to {MOST_TOPICS} topics of {LONGEST_TOPIC} characters are needed\n")
    if any(len(value) > LONGEST_ID or not ONE_LINE.fullmatch(value) for value in named.values()):
        raise web.HTTPBadRequest(text="id, type and retry are one short line each\n")
    if named["id"].startswith("#") or (named["retry"] and not re.fullmatch(r"[0-9]{1,9}", named["retry"], re.ASCII)):
        raise web.HTTPBadRequest(text="an id does not begin with #, and retry is a number of milliseconds\n")
    retry = int(named["retry"]) if named["retry"] else None
    return Update(
        named["id"] or f"urn:uuid:{uuid.uuid4()}", list(topics), "private" in form, data, named["type"], retry,   # type: ignore[operator]
    )


def _query(request: web.Request, *names: str) -> str:
    return next((request.query[name] for name in names if name in request.query), "")


def _origin(request: web.Request) -> str:
    if "Origin" in request.headers:
        return request.headers["Origin"]
    parts = urlsplit(request.headers.get("Referer", ""))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


async def _write(answer: web.StreamResponse, event: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await answer.write(event)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--data", type=Path, default=Path("/data"))
    parser.add_argument("--history-mb", type=int, default=64)
    parser.add_argument("--anonymous", action="store_true")
    parser.add_argument("--cors-origin", action="append", default=[])
    said = parser.parse_args()

    def key() -> bytes:
        try:
            return (said.data / "key").read_bytes()
        except FileNotFoundError:
            return b""

    history = History(str(said.data / "updates.db"), said.history_mb << 20)
    hub = Hub(history, key, anonymous=said.anonymous, origins=tuple(said.cors_origin))
    web.run_app(hub.application(), port=said.port, access_log=None, shutdown_timeout=1.0, print=None)


if __name__ == "__main__":
    main()
