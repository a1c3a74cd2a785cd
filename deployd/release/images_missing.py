"""Runtimes, services and extensions that a configuration asks for and this host does not have, all at once. Pure.

Asked when a commit is received, when a deployment is planned, and in `deployd check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal

from deployd.catalogue import Catalogue, Choice, Fallback, VersionNotThere
from deployd.errors import DeployError
from deployd.project.findings.report import render_findings
from deployd.project.model import Application, ImageAsked, Place, ReadResult, Service
from deployd.project.offered.runtimes import runtime_type
from deployd.project.offered.services import SERVICE_TYPES, WITHOUT_CONTAINER
from deployd.project.offered.support import support_ended
from deployd.release.configuration_refused import ConfigurationRefused
from deployd.release.version import ServiceVersion

NO_CONTAINER = WITHOUT_CONTAINER
"""Service types that are a folder on the host and no container."""
ServiceFallback = Literal["refuse", "upwards", "nearest"]
"""As the settings say it."""


class ExtensionNotThere(DeployError):
    """An application asks for a PHP extension that its image does not have."""

    code: ClassVar[str] = "extension-not-there"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that the host does not have, and where it is asked for."""

    error: DeployError
    place: Place
    name: str
    """`python:3.8`, `extension mongodb`."""


def versions_there(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """What may be advised: {runtime or kind of service: versions}."""
    return catalogue.versions() | {kind: SERVICE_TYPES[kind].versions.all for kind in WITHOUT_CONTAINER}


def images_missing(
    catalogue: Catalogue, images: Iterable[ImageAsked], *, nearest: bool, services: ServiceFallback,
    kept: Mapping[str, str] | None = None, today: date | None = None,
) -> tuple[list[Refusal], list[str]]:
    """What is missing, and warnings about what is taken instead and what its makers mend no more.

    Args:
        nearest: Whether another version of a runtime may be taken.
        services: Which other version of a service may be taken.
        kept: {service: version whose data are there}
        today: None: whether anybody mends it is not asked.
    """
    refusals: list[Refusal] = []
    warnings: list[str] = []
    for image in images:
        if image.name in NO_CONTAINER:
            continue
        try:
            if image.is_service:
                data_of = kept.get(image.of) if kept else None
                choice = service_choice(catalogue, image.name, image.version, services, kept=data_of)
            else:
                choice = runtime_choice(catalogue, image.name, image.version, nearest=nearest)
        except DeployError as error:
            error.where = error.where or str(image.place)
            refusals.append(Refusal(error, image.place, f"{image.name}:{image.version}"))
            continue
        warnings += [f"{image.place}: {choice.warning}"] if choice.warning else []
        warnings += _ended(catalogue, image, choice, today) if today else []
        missing, left_out = _extensions(image, choice)
        refusals += missing
        warnings += left_out
    return refusals, warnings


def runtime_choice(catalogue: Catalogue, name: str, version: str, *, nearest: bool) -> Choice:
    """The image of a runtime.

    Args:
        nearest: Another version may stand in.

    Raises:
        VersionNotThere: There is none.
    """
    return catalogue.runtime(name, version, nearest=nearest, newer_first=runtime_type(name).runs_older)


def service_choice(
    catalogue: Catalogue, kind: str, version: str, fallback: ServiceFallback, *, kept: str | None,
) -> Choice:
    """The image of a service, of another version when that may be.

    Raises:
        VersionNotThere: There is none.
    """
    known = SERVICE_TYPES.get(kind)
    allowed: Fallback = "same_major" if fallback == "upwards" and known and known.majors_differ else fallback
    return catalogue.service(kind, version, fallback=allowed, kept=kept)


def _ended(catalogue: Catalogue, image: ImageAsked, choice: Choice, today: date) -> list[str]:
    """A warning when what runs has holes that nobody mends; it advises what this host has."""
    ended = support_ended(image.name, choice.version, today)
    if ended is None:
        return []
    newest = catalogue.versions()[image.name][-1]
    is_better = newest != choice.version and support_ended(image.name, newest, today) is None
    advice = f"plan the way to {image.name}:{newest}" if is_better else "this host has none yet that has"
    since = f"{ended - timedelta(days=1):%B %Y}"
    return [f"{image.place}: {image.name}:{choice.version} has had no security updates since {since}; {advice}"]


def kept_versions(live: Sequence[ServiceVersion], services: Sequence[Service]) -> dict[str, str]:
    """{service: version that runs}, of services that go on being of the same kind."""
    kinds = {service.name: service.kind for service in services}
    types = {item.name: item.type.partition(":") for item in live}
    return {name: version for name, (kind, _, version) in types.items() if kinds.get(name) == kind}


def instead_of(catalogue: Catalogue, app: Application) -> str:
    """` (with python:3.11, as this host has no python:3.8)`, to be said where something fails; mostly empty."""
    try:
        choice = runtime_choice(catalogue, app.runtime_name, app.version, nearest=True)
    except VersionNotThere:
        return ""
    if choice.version == app.version:
        return ""
    return f" (with {app.runtime_name}:{choice.version}, as this host has no {app.type})"


def refused_files(
    result: ReadResult, catalogue: Catalogue, *, nearest: bool, services: ServiceFallback,
) -> ConfigurationRefused:
    """Why files that cannot be used are refused; with it what this host lacks, so that nobody has to push twice."""
    refusals, _ = images_missing(catalogue, result.images, nearest=nearest, services=services)
    more = [line for refusal in refusals for line in ("", *refusal.error.lines())]
    return ConfigurationRefused([*render_findings(result.findings), *more], len(result.errors) + len(refusals))


def _extensions(image: ImageAsked, choice: Choice) -> tuple[list[Refusal], list[str]]:
    """PHP extensions that the image does not have, and those that are accepted and not loaded."""
    known = choice.entry.extensions
    if known is None:
        return [], []
    there = {*known.default, *known.optional, *known.built_in}
    named = [name.lower() for name in image.extensions]
    missing = [name for name in named if name not in there and name not in known.left_out]
    refusals = [
        Refusal(ExtensionNotThere(
            f"the extension {name} is not in {image.name}:{choice.version} on this host", where=str(image.place),
            hint=f"take it out of runtime.extensions; there are: {', '.join(sorted(there))}",
        ), image.place, f"the extension {name}")
        for name in missing
    ]
    return refusals, [
        f"{image.place}: the extension {name} is accepted and not loaded: it is the agent of a monitoring service"
        for name in named if name in known.left_out
    ]
