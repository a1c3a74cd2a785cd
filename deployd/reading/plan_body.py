"""What somebody sends for a plan: a working tree as far as a plan needs it. Read by a reader, never by the daemon."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from deployd.reading.bounds import OfferUnusable

MOST_TOLD = 20


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, binascii.Error, ValueError):
        raise ValueError("is not base64") from None


class PlanBody(BaseModel):
    """A working tree as far as a plan needs it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    branch: str = Field(min_length=1, max_length=255)
    files: dict[str, Annotated[bytes, BeforeValidator(_decoded)]] = Field(default_factory=dict)
    """Contents of the configuration files, in base64."""
    paths: list[str] = Field(default_factory=list)
    """Every path of the tree."""
    listings: dict[str, str] = Field(default_factory=dict)
    """{application root: digest of its files without the configuration}"""


def parse_plan_body(body: bytes) -> PlanBody:
    """
    Raises:
        OfferUnusable: It is not that; the first of all that is wrong is told.
    """
    try:
        return PlanBody.model_validate_json(body or b"{}")
    except ValidationError as error:
        found = tuple(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())
        raise OfferUnusable(
            "the body cannot be used", evidence=found[:MOST_TOLD],
            hint="send JSON as /api/v1/openapi.json describes it",
        ) from None
