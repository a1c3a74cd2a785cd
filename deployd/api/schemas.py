"""JSON schemas of the shapes, made from their types. Pure."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number", NoneType: "null"}
REFERENCE = "#/components/schemas/"


def schema_of(kind: Any) -> dict[str, Any]:
    """The schema of a type; shapes by reference."""
    if kind is Any:
        return {}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return {"$ref": f"{REFERENCE}{kind.__name__}"}
    inner = get_args(kind)
    if get_origin(kind) is UnionType:
        return {"anyOf": [schema_of(item) for item in inner]}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": schema_of(inner[0])}
    raise TypeError(f"no schema is known for {kind}")


def schema_of_shape(shape: type) -> dict[str, Any]:
    """The schema of a dataclass itself; every field is always there."""
    hints = get_type_hints(shape)
    return {
        "type": "object",
        "properties": {name: schema_of(hints[name]) for name in _names(shape)},
        "required": _names(shape),
        "additionalProperties": False,
    }


def shapes_within(shape: type) -> list[type]:
    """The shape, and those that it is made of."""
    found = [shape]
    for hint in get_type_hints(shape).values():
        for inner in _named_in(hint):
            found += shapes_within(inner)
    return found


def _named_in(hint: Any) -> list[type]:
    """The shapes in a type, however deep: `tuple[Shape, ...] | None`."""
    if is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return [found for inner in get_args(hint) for found in _named_in(inner)]


def _names(shape: type) -> list[str]:
    assert is_dataclass(shape)
    return [item.name for item in fields(shape)]
