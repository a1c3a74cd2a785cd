"""How the API answers: a shape, a list of them, or lines of JSON that go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiohttp import web

from deployd.api.as_json import as_json
from deployd.api.asked import Asked
from deployd.http.outlasts_reload import OUTLASTS_RELOAD
from deployd.http.slow_readers import in_time, keep_little

LINES = "application/x-ndjson"
OK, NOT_MODIFIED = 200, 304


class Followed(Protocol):
    """What goes on: lines as JSON values, or as bytes where there is too much for a value of each line."""

    async def take(self) -> Sequence[dict[str, Any]] | bytes | None:
        """Further lines, empty after a while of silence; None after the last one."""
        ...

    async def rest(self) -> Sequence[dict[str, Any]] | bytes:
        """Further lines that are there already, without waiting; empty when there are no more."""
        ...

    def close(self) -> None: ...


def one(shape: object, status: int = 200) -> web.Response:
    return web.json_response(as_json(shape), status=status)


def many(shapes: Sequence[object]) -> web.Response:
    return web.json_response({"items": as_json(shapes)})


def page(request: web.Request, shapes: Sequence[object], limit: int, number: Callable[[Any], int]) -> web.Response:
    """The first `limit` of a list that is read newest first, and where the next ones begin.

    Args:
        shapes: One more than `limit`, when there is one.
        number: Of a shape: the place from which the next page goes on.
    """
    shown = shapes[:limit]
    after = number(shown[-1]) if shown and len(shapes) > limit else None
    answer = web.json_response({"items": as_json(shown), "next": after})
    if after is not None:
        following = request.rel_url.update_query(before=str(after))
        answer.headers["Link"] = f'<{following}>; rel="next"'
    return answer


def unless_known(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """304 when the caller has this very answer already. It costs the look, and spares the way."""
    body = answer.body if isinstance(answer, web.Response) else None
    if answer.status != OK or not isinstance(body, bytes) or not request.path.startswith("/api/"):
        return answer
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=NOT_MODIFIED, headers=headers)
    answer.headers.update(headers)
    return answer


async def stream(asked: Asked, lines: Followed, *, follow: bool, lasts: bool = True) -> web.StreamResponse:
    """What is there, and with `follow` what comes, until it ends or the reader leaves, takes nothing any more, or is
    not known any more.

    Args:
        lasts: It goes on when the daemon reads its settings again.
    """
    request = asked.request
    if request.method == "HEAD":   # what is written would be taken for the next answer
        lines.close()
        return web.Response(headers={"Content-Type": LINES})
    response = web.StreamResponse(headers={"Content-Type": LINES})
    keep_little(request)
    await response.prepare(request)
    if follow and lasts and not asked.is_by_session:   # whoever answers then knows when the session ends
        request[OUTLASTS_RELOAD] = True
    try:
        while (taken := await (lines.take() if follow else lines.rest())) is not None:
            if not (taken or follow) or not asked.is_known():
                break
            encoded = _encoded(taken)
            del taken   # who takes nothing any more keeps no more than the bytes
            async with in_time(request):
                await response.write(encoded)
    except ConnectionError:
        return response
    finally:
        lines.close()
    await response.write_eof()
    return response


def _encoded(lines: Sequence[dict[str, Any]] | bytes) -> bytes:
    """A heartbeat is an empty line: a reader who has left is noticed, and proxies see that it lives."""
    if isinstance(lines, bytes):
        return lines or b"\n"
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode() or b"\n"
