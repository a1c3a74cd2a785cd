"""Shapes as what `json.dumps` takes. Pure."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def as_json(value: Any) -> Any:
    """Shapes, and tuples and lists of them, as what `json.dumps` takes."""
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    # Not `asdict`: it copies every text, and a thousand environments take ten times as long.
    if is_dataclass(value) and not isinstance(value, type):
        return {name: as_json(getattr(value, name)) for name in _names(type(value))}
    return value


@cache
def _names(shape: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(shape))
