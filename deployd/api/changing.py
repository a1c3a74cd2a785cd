"""Requests that change something: who asked for them is noted, and with an `Idempotency-Key` they are done once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from aiohttp import web

from deployd.access.errors import Forbidden
from deployd.api.asked import Asked
from deployd.api.bodies import BODY, read_bytes
from deployd.api.errors import ErrorShape
from deployd.api.route import ApiRoute, Handler
from deployd.commands.audit import Doing, action_of
from deployd.commands.repeats import BROKEN, Answered, Keyed
from deployd.commands.variables import VariableChangeShape
from deployd.errors import Unusable
from deployd.http.failed_sign_ins import source_of
from deployd.queries.activities import ActivityShape
from deployd.queries.ticket_shapes import TicketShape, words_of_deed

KEY, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
LONGEST_KEY = 255
AFTER_A_BUG = Answered(BROKEN, json.dumps(asdict(ErrorShape(
    code="incident", what="the first request with this key ended with an error of deployd itself", where=KEY,
    hint="look whether it was done nevertheless, and ask with a new key if it was not", evidence=(),
))))


async def change(asked: Asked, route: ApiRoute, handler: Handler, by: str) -> web.StreamResponse:
    """Let a handler do it, or answer as it was answered before.

    Args:
        by: Over which face it came.

    Raises:
        Unusable: The key is none.
        KeyReused, StillDone: See `RepeatCommands.once`.
    """
    key = asked.request.headers.get(KEY)
    if key is not None and route.is_secret:
        raise Unusable(f"{KEY} is not taken here: the answer is a secret, and is kept nowhere", where=KEY)
    if key is not None and route.takes_secret:
        raise Unusable(f"{KEY} is not taken here: nothing is kept of what may be a secret, no digest either",
                       where=KEY, hint="ask again without it: what is so already is not done twice")
    if key is None:
        return await _noted(asked, route, handler, by)
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Unusable(f"{KEY} must be 1 to {LONGEST_KEY} printable characters of ASCII", where=KEY)
    asked.request[BODY] = await read_bytes(asked.request)
    kept: list[web.Response] = []

    async def do() -> Answered:
        answer = await _noted(asked, route, handler, by)
        assert isinstance(answer, web.Response)
        kept.append(answer)
        return Answered(answer.status, answer.text or "")

    keyed = Keyed(who=f"{by} {asked.who}", key=key, asked=_digest(asked.request))
    answered, is_repeated = await asked.commands.repeats.once(keyed, do, AFTER_A_BUG)
    if not is_repeated:
        return kept[0]
    return web.Response(
        text=answered.body, status=answered.status, content_type="application/json", headers={REPLAYED: "true"},
    )


async def note_refusal(asked: Asked, route: ApiRoute, by: str, error: Forbidden) -> None:
    """Somebody known wants to do what they may not."""
    await asked.commands.audit.note(_doing(asked, route, by), "refused", error.what)


async def _noted(asked: Asked, route: ApiRoute, handler: Handler, by: str) -> web.StreamResponse:
    async with asked.commands.audit.noting(_doing(asked, route, by)) as said:
        answer = await handler(asked)
        if route.shape is ActivityShape and "id" not in asked.request.match_info and isinstance(answer, web.Response):
            said.append(f"activity {json.loads(answer.text or '{}')['id']}")
        if route.shape is VariableChangeShape and isinstance(answer, web.Response):
            made = json.loads(answer.text or "{}")
            said.append(made["change"] + (f", activity {made['activity']['id']}" if made["activity"] else ""))
        if route.shape is TicketShape and isinstance(answer, web.Response):
            said.append(words_of_deed(json.loads(answer.text or "{}")))
        return answer


def _doing(asked: Asked, route: ApiRoute, by: str) -> Doing:
    request = asked.request
    return Doing(
        who=asked.who, by=by, action=action_of(route.path), names=dict(request.match_info),
        address=source_of(request.remote, request.headers.get("X-Forwarded-For", "")) if by != "socket" else "",
    )


def _digest(request: web.Request) -> str:
    body = hashlib.sha256(request[BODY]).hexdigest()
    return hashlib.sha256(f"{request.method} {request.raw_path}\n{body}".encode(errors="replace")).hexdigest()
