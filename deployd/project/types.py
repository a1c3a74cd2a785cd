"""`type: name:version` of applications and services, always from the text as written (`7.10` is not 7.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.project.runtimes import Versions
from deployd.project.shape import Field
from deployd.project.spelling import guess, listed, nearest, shown


def read_type(field: Field, known: Mapping[str, Versions], noun: str) -> tuple[str, str] | None:
    """Name and version as written, or None with a finding; a retired version is a warning."""
    written = field.text()
    if written is None:
        return None
    name, colon, version = written.partition(":")
    if name not in known:
        field.wrong(f"no-such-{noun}", f"`{shown(name)}` is not a {noun}", _with_version(name, known, version))
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
        near = nearest(version, versions.all)
        choice = versions.supported or versions.all
        field.wrong(
            "no-such-version",
            f"there is no version `{shown(version)}` of {name}",
            (f"did you mean `{name}:{near}`? " if near else "")
            + f"Kept today: {listed([f'{name}:{item}' for item in choice])}",
        )
        return None
    if version in versions.retired:
        kept = versions.supported
        field.warn(
            "retired-version",
            f"`{written}` is no longer kept by its makers",
            f"plan the way to `{name}:{kept[-1]}`" if kept else "plan the way to another runtime",
        )
    return name, version


def _with_version(name: str, known: Mapping[str, Versions], version: str) -> str:
    near = nearest(name, known)
    if near and version in known[near].all:
        return f"did you mean `{near}:{version}`?"
    return guess(name, known)
