"""`type: name:version` of applications and services, always from the text as written (`7.10` is not 7.1). Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from deployd.project.fields.fields import Field
from deployd.project.findings.spelling import guess, listed, nearest, shown
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.offered.versions import Versions


def read_type(field: Field, known: Mapping[str, Versions], code: str, noun: str) -> tuple[str, str] | None:
    """Name and version as written, or None with a finding; a retired version is a warning."""
    written, there = field.text(), field.findings.there
    if written is None:
        return None
    name, colon, version = written.partition(":")
    if name not in known:
        here = {word: item for word, item in known.items() if there is None or _kind(word) in there}
        field.wrong(code, f"`{shown(name)}` is not a {noun}", _with_version(name, here or known, version))
        return None
    versions = known[name]
    offered = versions.supported or versions.all
    if there is not None:
        offered = tuple(item for item in there.get(_kind(name), ()) if item in versions.all)
    nothing = "" if offered else f"this host has no {name} at all"
    if not colon or not version:
        field.wrong(
            "version-missing",
            f"the type `{shown(written)}` has no version",
            nothing or f"write `{name}:{offered[-1]}`; "
                       f"there are {listed(versions.all if there is None else offered, 'and')}",
        )
        return None
    if version not in versions.all:
        near = _nearest_version(version, versions.all if there is None else offered)
        today = "Supported today" if there is None else "This host has"
        field.wrong(
            "no-such-version",
            f"there is no version `{shown(version)}` of {name}",
            nothing or (f"did you mean `{name}:{near}`? {today}" if near else today.lower())
            + f": {listed([f'{name}:{item}' for item in offered])}",
        )
        return None
    if version in versions.retired:
        field.warn(
            "retired-version", f"`{written}` is retired on the hosted platforms",
            nothing or _way_on(name, version, offered, versions.supported),
        )
    return name, version


def _kind(name: str) -> str:
    """`mariadb` of `mysql`: by this word catalogues know it."""
    known = SERVICE_TYPES.get(name)
    return known.means or name if known else name


def _way_on(name: str, version: str, offered: Sequence[str], supported: Sequence[str]) -> str:
    """Forwards only: data do not go back, and what is advised must be there."""
    newer = [item for item in offered if _age(item) > _age(version)]
    best = max([item for item in newer if item in supported] or newer, default=None, key=_age)
    if best is not None:
        return f"plan the way to `{name}:{best}`"
    return "there is nothing newer to go to yet" if supported else "plan the way to another runtime"


def _age(version: str) -> tuple[float, float]:
    """`1` stands for the newest of all 1.x."""
    major, dot, _ = version.partition(".")
    numbers = _numbers(version) or (0, 0)
    return numbers[0], numbers[1] if dot and major else math.inf


def _nearest_version(written: str, known: tuple[str, ...]) -> str | None:
    """The version that is closest by number: 7.5 → 7.4, 8.20 → 8.5."""
    numbers = _numbers(written)
    if numbers is None:
        return nearest(written, known)
    return min(known, default=None, key=lambda version: _distance(numbers, _numbers(version) or (0, 0)))


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
