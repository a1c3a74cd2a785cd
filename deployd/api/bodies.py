"""What callers send, as values: bytes in, a frozen model or an error that says what is wrong with them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from deployd.access.concurrency import RequestQueue
from deployd.errors import Unusable
from deployd.http.errors import TooLarge

LARGEST_BYTES = 64_000_000
"""A plan of a tree with 500,000 files has 40 MB of paths."""
LARGEST_NUMBER = 10**15
READ_SECONDS = 120.0
LARGE_BYTES = 1_000_000


BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)
"""What was read of a request already."""


class Body(BaseModel):
    """Of a route; its name stands in the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


async def read_body(request: web.Request, kind: type[B]) -> B:
    """The body of a request; none at all is an empty one.

    Raises:
        TooLarge: It has more bytes than any that makes sense.
        Unusable: It is not what the route takes; all that is wrong is told at once. Or it did not come in time.
    """
    return parse_body(await read_bytes(request), kind)


async def read_bytes(request: web.Request, queue: RequestQueue | None = None, token: str = "") -> bytes:
    """The body of a request, not looked at.

    Args:
        queue: Which a large one waits for, its rest unread.
        token: Of whom it comes.

    Raises:
        TooLarge: It has more bytes than any that makes sense.
        Unusable: It did not come in time.
    """
    if BODY in request:
        return request[BODY]
    data = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS), AsyncExitStack() as turn:
            is_large = queue is None
            async for chunk in request.content.iter_chunked(65_536):
                data += chunk
                if len(data) > LARGEST_BYTES:
                    raise TooLarge(f"the body has more than {LARGEST_BYTES:,} bytes")
                if queue is not None and len(data) > LARGE_BYTES and not is_large:
                    is_large = True
                    await turn.enter_async_context(queue.take(token))
    except TimeoutError:
        raise Unusable(f"the body did not come within {READ_SECONDS:g} s") from None
    return bytes(data)


def parse_body(data: bytes, kind: type[B]) -> B:
    """
    Raises:
        Unusable: See `read_body`.
    """
    try:
        return kind.model_validate_json(data or b"{}")
    except ValidationError as error:
        found = tuple(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())
        raise Unusable("the body cannot be used", evidence=found,
                       hint="send JSON as /api/v1/openapi.json describes it") from None
