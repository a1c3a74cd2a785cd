"""Databases, endpoints and privileges, in which MySQL and PostgreSQL are alike (configuration format 5.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.fields.fields import Field, Fields
from deployd.project.fields.keys import Table
from deployd.project.findings.spelling import guess, listed, nearest, shown
from deployd.project.model.service import Endpoint

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_$-]{0,62}", re.ASCII)


def read_names(field: Field | None, noun: str) -> tuple[str, ...]:
    found: list[str] = []
    for item in field.items() if field else []:
        name = item.text()
        if name is None:
            continue
        if not _NAME.fullmatch(name):
            item.wrong(
                "bad-name",
                f"`{shown(name)}` cannot be the name of a {noun}",
                "use letters, digits, `_` and `-`, at most 63",
            )
        elif name in found:
            item.wrong("same-name", f"the {noun} `{name}` is listed twice", "remove one of the two")
        else:
            found.append(name)
    return tuple(found)


def read_endpoints(
    fields: Fields, table: Table, noun: str, known: tuple[str, ...], levels: tuple[str, ...]
) -> tuple[Endpoint, ...]:
    found = []
    for name, field in fields.entries("endpoints"):
        if not _NAME.fullmatch(name):
            field.wrong_name(
                "bad-name",
                f"`{shown(name)}` cannot be the name of an endpoint, which becomes a user",
                "use letters, digits, `_` and `-`",
            )
            continue
        endpoint = field.fields(table) if not field.is_null() else None
        if endpoint is None:
            found.append(Endpoint(name))
            continue
        default_field = endpoint.get(f"default_{noun}")
        default = default_field.text() if default_field else None
        if default_field is not None and default is not None:
            _check_known(default_field, default, noun, known)
        found.append(Endpoint(name, default, _privileges(endpoint, noun, known, levels)))
    return tuple(found)


def _privileges(endpoint: Fields, noun: str, known: tuple[str, ...], levels: tuple[str, ...]) -> Mapping[str, str]:
    found = {}
    for name, field in endpoint.entries("privileges"):
        _check_known(Field(field.name or field.node, field.key, field.findings), name, noun, known)
        level = field.text()
        if level is not None and level not in levels:
            field.wrong("not-allowed", f"`{shown(level)}` is not a level of privileges", guess(level, levels))
        elif level is not None:
            found[name] = level
    return found


def _check_known(field: Field, name: str, noun: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = nearest(name, known)
        listing = f"the {noun}s are {listed(known, 'and')}" if known else f"list it under `{noun}s`"
        field.wrong(
            f"no-such-{noun}", f"there is no {noun} `{shown(name)}`", f"did you mean `{near}`?" if near else listing
        )
