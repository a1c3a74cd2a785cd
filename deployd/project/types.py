"""`type: name:version` of applications and services, always from the text as written (`7.10` is not 7.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deployd.project.runtimes import Versions
from deployd.project.shape import Field
from deployd.project.spelling import guess, listed, nearest, shown


def read_type(field: Field, known: Mapping[str, Versions], code: str, noun: str) -> tuple[str, str] | None:
    """Name and version as written, or None with a finding; a retired version is a warning."""
    written = field.text()
    if written is None:
        return None
    name, colon, version = written.partition(":")
    if name not in known:
        field.wrong(code, f"`{shown(name)}` is not a {noun}", _with_version(name, known, version))
        return None
    versions = known[name]
    if not colon or not version:
        newest = versions.all[-1]
        field.wrong(
            "version-missing",
            f"the type `{shown(written)}` has no version",
            f"write `{name}:{newest}`; there are {listed(versions.all, 'and')}",
        )
        return None
    if version not in versions.all:
        near = _nearest_version(version, versions.all)
        choice = versions.supported or versions.all
        field.wrong(
            "no-such-version",
            f"there is no version `{shown(version)}` of {name}",
            (f"did you mean `{name}:{near}`? Supported" if near else "supported")
            + f" today: {listed([f'{name}:{item}' for item in choice])}",
        )
        return None
    if version in versions.retired:
        kept = versions.supported
        field.warn(
            "retired-version",
            f"`{written}` is retired on the hosted platforms",
            f"plan the way to `{name}:{kept[-1]}`" if kept else "plan the way to another runtime",
        )
    return name, version


def _nearest_version(written: str, known: tuple[str, ...]) -> str | None:
    """The version that is closest by number: 7.5 → 7.4, 8.20 → 8.5."""
    numbers = _numbers(written)
    if numbers is None:
        return nearest(written, known)
    return min(known, key=lambda version: _distance(numbers, _numbers(version) or (0, 0)))


def _numbers(version: str) -> tuple[int, int] | None:
    found = re.match(r"v?(\d{1,6})(?:\.(\d{1,6}))?", version, re.ASCII)
    return (int(found[1]), int(found[2] or 0)) if found else None


def _distance(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return abs(one[0] - other[0]), abs(one[1] - other[1])


def _with_version(name: str, known: Mapping[str, Versions], version: str) -> str:
    near = nearest(name, known)
    if near and version in known[near].all:
        return f"did you mean `{near}:{version}`?"
    return guess(name, known)
