"""Which image stands behind each `type` of the project files: config/catalogue.yaml, read, checked and looked up.

Reads one file and decides; images are made by `engine/docker`. A version is a label, as on the hosted platforms:
`8.4` is asked for and found, or it is not. Only with a `fallback` is another one taken, and then a sentence says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from deployd.errors import DeployError
from deployd.yaml_file import read_yaml_file

IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}", re.ASCII)
Fallback = Literal["refuse", "same_major", "upwards", "nearest", "nearest_newer"]
"""Which other version may stand in for one that is not there: none, a newer one of the same major, a newer one, any, or
any but rather a newer one."""
ANY = ("nearest", "nearest_newer")
MAJOR = 1000   # from 7.4 it is less far to 8.2 than to 8.4, and from 10.2 to 10.11 than to any 11


class CatalogueInvalid(DeployError):
    """The catalogue cannot be used; all that is wrong is told at once."""

    code: ClassVar[str] = "catalogue-invalid"


class VersionNotThere(DeployError):
    """A project asks for a runtime or a service that this host does not have."""

    code: ClassVar[str] = "version-not-there"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Build(_Frozen):
    """How an image is made here."""

    folder: Path
    """Folder of the Dockerfile, absolute once it is read."""
    on: str
    """Name of the entry of `bases` that it stands on."""
    tools: str | None = None
    """Name of the entry of `bases` in which a first stage fetches or compiles what is copied into the image."""
    host_certificates: bool = False
    """`trust.crt` beside its Dockerfile is whom this host trusts. For `tools` only: what runs shall not have them."""
    arguments: dict[str, str] = Field(default_factory=dict)

    @property
    def below(self) -> dict[str, str]:
        """{build argument: name of the entry of `bases` whose image it names}"""
        return {"BASE": self.on} if self.tools is None else {"BASE": self.on, "TOOLS": self.tools}


class Extensions(_Frozen):
    """What a PHP image can load. Names are lower case."""

    default: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    built_in: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Accepted in the project files and not loaded, with a warning."""


class Entry(_Frozen):
    """An image and the way in which it comes to this host: built, made by mmdebstrap, or pulled."""

    image: str
    build: Build | None = None
    suite: str | None = None
    """Debian suite of a base."""
    packages: tuple[str, ...] = ()
    outdated_index: bool = False
    """The list of its packages may be past its date, as on a mirror that lags behind: it is signed all the same."""
    extensions: Extensions | None = None
    """What is known of a PHP image; the build itself looks whether what it was asked for is loaded."""
    stands_in: str = ""
    """What it is, when it is not the program that the type names: whoever uses it is told so."""

    @field_validator("image")
    @classmethod
    def _image_is_a_name(cls, value: str) -> str:
        if not IMAGE.fullmatch(value):
            raise ValueError(f"{value!r} is not the name of an image, as deployd/php:8.4")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Entry:
        if self.build and self.suite:
            raise ValueError("`build` and `suite` exclude each other")
        if self.packages and not self.suite:
            raise ValueError("`packages` goes with `suite`; those of a built image stand in its Dockerfile")
        if self.outdated_index and not self.suite:
            raise ValueError("`outdated_index` goes with `suite`")
        return self


@dataclass(frozen=True, slots=True)
class Choice:
    """The entry for what was asked, and a warning when it is another version."""

    entry: Entry
    version: str
    warning: str | None = None


class Catalogue(_Frozen):
    """Everything that this host can run."""

    bases: dict[str, Entry] = Field(default_factory=dict)
    runtimes: dict[str, dict[str, Entry]] = Field(default_factory=dict)
    """{runtime: {version: entry}}"""
    services: dict[str, dict[str, Entry]] = Field(default_factory=dict)
    official: dict[str, str] = Field(default_factory=dict)
    """{kind of service: name of its official image, with `{version}` in it}, for hosts that reach a registry."""
    web: Entry
    router: Entry

    def runtime(self, name: str, version: str, *, nearest: bool = False, newer_first: bool = False) -> Choice:
        """The image of a runtime.

        Args:
            newer_first: With `nearest`, an older version only when there is no newer one.

        Raises:
            VersionNotThere: There is none, or none of this version (and not `nearest`).
        """
        fallback: Fallback = "refuse" if not nearest else "nearest_newer" if newer_first else "nearest"
        return _find("runtime", self.runtimes, name, version, fallback)

    def service(self, kind: str, version: str, *, fallback: Fallback = "refuse", kept: str | None = None) -> Choice:
        """The image of a service; `kind` is normalised (`mariadb`, not `mysql`).

        Args:
            fallback: What may stand in for a version that is not there.
            kept: A version whose data are there: it stays when it may stand in, as data do not go back. Of the nearest
                in any direction it stays when no other one is nearer.

        Raises:
            VersionNotThere: There is none, nor one that may stand in.
        """
        return _find("service", self.services, kind, version, fallback, kept)

    def versions(self) -> dict[str, tuple[str, ...]]:
        """{runtime or kind of service: its versions, oldest first}"""
        return {
            name: tuple(sorted(versions, key=_numbers))
            for group in (self.runtimes, self.services) for name, versions in group.items()
        }

    def with_official(self, offered: Mapping[str, Sequence[str]]) -> Catalogue:
        """With the official image of each version that is not here.

        Args:
            offered: {kind of service: versions that project files may ask for}
        """
        services = {
            kind: {version: Entry(image=name.replace("{version}", version)) for version in offered.get(kind, ())}
            for kind, name in self.official.items()
        }
        return self.model_copy(update={"services": {
            kind: {**services.get(kind, {}), **self.services.get(kind, {})} for kind in {**self.services, **services}
        }})

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Every image once, as (name, entry), bases before what stands on them. Names: `php:8.4`, `web`, `trixie`."""
        seen: set[str] = set()
        for name, entry in (*self.bases.items(), ("web", self.web), ("router", self.router), *self._typed()):
            if entry.image not in seen:
                seen.add(entry.image)
                yield name, entry

    def _typed(self) -> Iterator[tuple[str, Entry]]:
        for group in (self.runtimes, self.services):
            for name, versions in group.items():
                yield from ((f"{name}:{version}", entry) for version, entry in versions.items())

    @field_validator("official")
    @classmethod
    def _official_ones_are_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value.values():
            if "{version}" not in name or not IMAGE.fullmatch(name.replace("{version}", "1")):
                raise ValueError(f"{name!r} is no image's name with `{{version}}` in it, as mariadb:{{version}}")
        return value

    @model_validator(mode="after")
    def _bases_are_there(self) -> Catalogue:
        for name, entry in self.entries():
            self._look_below(entry, (name,))
        return self

    def _look_below(self, entry: Entry, passed: tuple[str, ...]) -> None:
        for on in entry.build.below.values() if entry.build else ():
            if on not in self.bases:
                raise ValueError(f"{passed[-1]} stands on {on}, which is not one of bases: {', '.join(self.bases)}")
            if on in passed:
                raise ValueError(f"{passed[0]} stands on itself: {' on '.join([*passed, on])}")
            self._look_below(self.bases[on], (*passed, on))


def load_catalogue(path: Path, *, official: Mapping[str, Sequence[str]] | None = None) -> Catalogue:
    """Read the catalogue; folders of Dockerfiles become absolute, seen from the file.

    Args:
        official: {kind of service: versions that project files may ask for}, of which the official images are taken
            where the file has no other; None: none are.

    Raises:
        CatalogueInvalid: It is missing, is not YAML, or says something that is not allowed.
    """
    written = read_yaml_file(
        path, CatalogueInvalid, "the catalogue", missing="name the file with `catalogue` in the settings",
    )
    try:
        catalogue = Catalogue.model_validate(_with_folders(written.values, path.parent.absolute()))
        return catalogue if official is None else catalogue.with_official(official)
    except ValidationError as error:
        found = tuple(
            f"{'.'.join(map(str, item['loc'])) or 'catalogue'}: {item['msg'].removeprefix('Value error, ')}"
            f"   {path.name}:{written.line_of(item['loc'])}"
            for item in error.errors()
        )
        raise CatalogueInvalid("the catalogue is not valid", where=str(path), evidence=found,
                               hint="correct the keys named above; versions must be quoted") from None


def _with_folders(value: Any, beside: Path) -> Any:
    if not isinstance(value, dict):
        return value
    value = {key: _with_folders(item, beside) for key, item in value.items()}
    if isinstance(value.get("folder"), str):
        value["folder"] = beside / value["folder"]
    return value


def _find(what: str, group: Mapping[str, Mapping[str, Entry]], name: str, version: str, fallback: Fallback,
          kept: str | None = None) -> Choice:
    versions = group.get(name)
    if not versions:
        raise VersionNotThere(
            f"there is no {what} {name} on this host; there are: {', '.join(sorted(group)) or 'none'}",
            hint="ask for one of these, or have the operator add it to the catalogue",
        )
    if version in versions:
        return Choice(versions[version], version, _not_itself(name, version, versions[version]))
    candidates = [item for item in versions if _may_stand_in(version, item, fallback)]
    if not candidates:
        there = ", ".join(f"{name}:{item}" for item in sorted(versions, key=_numbers))
        raise VersionNotThere(
            f"there is no {name}:{version} on this host{'' if fallback == 'refuse' else ', nor a newer one'}; "
            f"there is {there}",
            hint=f"ask for one of these, have the operator add {name}:{version} to the catalogue, "
                 "or set runtime_fallback: nearest for the project",
        )
    ahead = [item for item in candidates if fallback == "nearest_newer" and _numbers(item) > _numbers(version)]
    taken = min(ahead or candidates, key=lambda item: _distance(version, item))
    if kept in candidates and (fallback not in ANY or _distance(version, kept)[0] == _distance(version, taken)[0]):
        taken = kept
    newer = "whose data are there" if taken == kept else "the nearest newer one"
    why = "the nearest" if fallback in ANY else newer
    warning = f"{name}:{version} is not on this host; {name}:{taken}, {why}, is used instead"
    not_itself = _not_itself(name, taken, versions[taken])
    return Choice(versions[taken], taken, f"{warning}; {not_itself}" if not_itself else warning)


def _not_itself(name: str, version: str, entry: Entry) -> str | None:
    return f"{name}:{version} is {entry.stands_in} on this host" if entry.stands_in else None


def _may_stand_in(wanted: str, there: str, fallback: Fallback) -> bool:
    if fallback == "refuse" or fallback in ANY:
        return fallback in ANY
    ours, theirs = _numbers(wanted), _numbers(there)
    newer = theirs[:len(ours)] >= ours[:len(theirs)]   # `8` means any 8.x
    return newer and (fallback == "upwards" or ours[0] == theirs[0])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _distance(wanted: str, there: str) -> tuple[int, bool, tuple[int, ...]]:
    """Least is nearest; of two as near, the older one: it has what the wanted one had. `3` is as near to every 3.x, and
    means the newest of them."""
    ours, theirs = _numbers(wanted), _numbers(there)
    minors = theirs[1] - ours[1] if len(ours) > 1 and len(theirs) > 1 else 0
    further = (theirs[0] - ours[0]) * MAJOR + minors
    return abs(further), further > 0, tuple(-number for number in theirs)
