"""Values of the project's model as plain data, and back: what a reader says is checked field by field. Pure.

Why not pydantic: it refuses file names that are not UTF-8, and makes every empty mapping a `dict`; but the digests of
services are made of how the model's values are written, and an upgrade must not make every service anew.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from deployd.project.model import Json

T = TypeVar("T")
Decode = Callable[[Any], Any]


class NotOfThatShape(Exception):
    """The data are not what the type says."""


def as_plain(value: Any) -> Any:
    """What `json.dumps` takes. Fields that have their default are left out, so that they come back as the very same."""
    if is_dataclass(value):
        return _record_as_plain(value)
    if isinstance(value, tuple | list):
        return [as_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    return value


def _record_as_plain(value: Any) -> dict[str, Any]:
    kind: Any = type(value)
    pairs = ((name, getattr(value, name), default) for name, default in _defaults(kind))
    named = _named(kind)
    return {
        name: {type(item).__name__: as_plain(item)} if name in named and item is not None else as_plain(item)
        for name, item, default in pairs if item is not default
    }


def from_plain(kind: type[T], data: Any) -> T:
    """
    Raises:
        NotOfThatShape: A field is missing, unknown, or of another type.
    """
    wanted: Any = kind
    value: T = _decoder(wanted)(data)
    return value


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """((field, its default), …); a field without one is never left out."""
    return tuple(
        (field.name, field.default_factory() if field.default_factory is not MISSING else field.default)
        for field in fields(kind)
    )


@cache
def _named(kind: Any) -> frozenset[str]:
    """Fields whose value is one of several classes: its class is written with it, {class: its fields}."""
    return frozenset(name for name, hint in get_type_hints(kind).items() if len(_classes(get_args(hint))) > 1)


def _classes(kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(kind for kind in kinds if is_dataclass(kind))


@cache
def _decoder(kind: Any) -> Decode:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _record(kind)
    if kind == Json or kind is Any:
        return lambda value: value
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        classes = _classes(arguments)
        if len(classes) > 1:
            others = tuple(_decoder(item) for item in arguments if item not in classes)
            return _either((_one_of_classes(classes), *others))
        return _either(tuple(map(_decoder, arguments)))
    if origin is tuple:
        return _sequence(_decoder(arguments[0]))
    if origin in (Mapping, dict):
        return _mapping(_decoder(arguments[1]))
    return _plain(type(None) if kind is None else kind)


def _record(kind: Any) -> Decode:
    hints = get_type_hints(kind)
    decoders: dict[str, Decode] = {}   # filled at first use: a type may hold itself

    def decode(value: Any) -> Any:
        if not decoders:
            decoders.update({field.name: _decoder(hints[field.name]) for field in fields(kind)})
        try:
            return kind(**{name: decoders[name](item) for name, item in value.items()})
        except (AttributeError, KeyError, TypeError):
            raise NotOfThatShape(kind.__name__) from None

    return decode


def _one_of(allowed: tuple[Any, ...]) -> Decode:
    def decode(value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise NotOfThatShape(f"none of {allowed}")
        return value

    return decode


def _either(decoders: tuple[Decode, ...]) -> Decode:
    def decode(value: Any) -> Any:
        for decoder in decoders:
            try:
                return decoder(value)
            except NotOfThatShape:
                continue
        raise NotOfThatShape("none of the types of a field")

    return decode


def _one_of_classes(classes: tuple[Any, ...]) -> Decode:
    decoders = {kind.__name__: _record(kind) for kind in classes}

    def decode(value: Any) -> Any:
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= decoders.keys():
            raise NotOfThatShape(f"none of {', '.join(decoders)}")
        ((name, fields_of_it),) = value.items()
        return decoders[name](fields_of_it)

    return decode


def _sequence(inner: Decode) -> Decode:
    def decode(value: Any) -> Any:
        if not isinstance(value, list):
            raise NotOfThatShape("no list")
        return tuple(map(inner, value))

    return decode


def _mapping(inner: Decode) -> Decode:
    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise NotOfThatShape("no mapping")
        return {name: inner(item) for name, item in value.items()}

    return decode


def _plain(kind: type) -> Decode:
    def decode(value: Any) -> Any:
        if type(value) is not kind:   # a bool is no int here
            raise NotOfThatShape(f"no {kind.__name__}")
        return value

    return decode
