"""What the payloads of forges have in common: JSON with fields that must be there. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deployd.forges.forge import RefMoved


class Lacking(Exception):
    """A field is not there, or is of another type."""


def read_json(body: bytes) -> Mapping[str, Any]:
    """
    Raises:
        Lacking: It is not a JSON object.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Lacking("the body is not JSON") from None
    if not isinstance(payload, dict):
        raise Lacking("the body is not a JSON object")
    return payload


def text(payload: Mapping[str, Any], path: str) -> str:
    """A text by its path (`repository.full_name`).

    Raises:
        Lacking: It is not there.
    """
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise Lacking(f"the payload has no text {path}")
    return value


def text_or_empty(payload: Mapping[str, Any], path: str) -> str:
    try:
        return text(payload, path)
    except Lacking:
        return ""


def read_push(
    payload: Mapping[str, Any], *, repository: str, who: str, delivery: str, forced: bool = False,
) -> RefMoved:
    """The push of a payload; GitHub and GitLab name its three main fields alike.

    Raises:
        Lacking: A field is not there.
    """
    ref, old, new = text(payload, "ref"), text(payload, "before"), text(payload, "after")
    return RefMoved(repository, ref, old, new, who, delivery, forced)
