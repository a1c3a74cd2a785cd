"""What callers send, as values: bytes in, a frozen model or an error that says what is wrong with them."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployd.api.errors import TooLarge, Unusable

LARGEST_BYTES = 64_000_000
"""A plan of a tree with 500,000 files has 40 MB of paths."""
LARGEST_NUMBER = 10**15
READ_SECONDS = 120.0


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RollbackBody(_Body):
    """To which version; without a number to the one before the live one."""

    to: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)] | None = None


class CollectBody(_Body):
    """What a round of housekeeping takes besides."""

    deleted: bool = False
    """Also the data of deleted environments whose time of grace is not over."""


B = TypeVar("B", bound=_Body)


async def read_body(request: web.Request, kind: type[B]) -> B:
    """The body of a request; none at all is an empty one.

    Raises:
        TooLarge: It has more bytes than any that makes sense.
        Unusable: It is not what the route takes; all that is wrong is told at once. Or it did not come in time.
    """
    return parse_body(await read_bytes(request), kind)


async def read_bytes(request: web.Request) -> bytes:
    """The body of a request, unread.

    Raises:
        TooLarge: It has more bytes than any that makes sense.
        Unusable: It did not come in time.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.content.iter_chunked(65_536):
                data += chunk
                if len(data) > LARGEST_BYTES:
                    raise TooLarge(f"the body has more than {LARGEST_BYTES:,} bytes")
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
                       mend="send JSON as /api/v1/openapi.json describes it") from None
