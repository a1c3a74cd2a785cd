"""How two versions differ: (what is known of one, of the other) -> differences. Pure.

A fact is what people read of a thing, and digests of what they do not: of a variable its name is told and whether it
differs, and its value never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import sha256

from deployd.environment.shown_variables import may_be_secret
from deployd.environment.variables import as_text, variables_of
from deployd.plan import REASONS
from deployd.project.model import Application, Instance, ProjectConfig, RouteTemplate, Service
from deployd.release.version import AppVersion, Version, worker_part
from deployd.settings import ProjectSettings
from deployd.settings.variables import canonical_name

SECTIONS = ("applications", "services", "routes", "workers", "crons", "variables", "images", "slugs")
SHORT = 12
"""Characters of a key or an id that people read."""
LONGEST_SHOWN = 300
UNTOLD = "it is a secret, and is not compared with that of another environment"
"""Who may set one elsewhere would find out by guessing."""
NO_CONTENT = frozenset({"place", "type_place", "places"})
"""Fields that say where something stands in a file."""


@dataclass(frozen=True, slots=True)
class Fact:
    shown: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    """{what it is, as the reason of a difference: digest}"""


@dataclass(frozen=True, slots=True)
class Described:
    """All facts of a version."""

    sections: Mapping[str, Mapping[str, Fact]]
    """{section: {name: fact}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceShape:
    """One thing that differs."""

    name: str
    change: str
    """`added`, `changed` or `removed`."""
    before: str
    """What people read of it; empty when it was not there, and of variables always."""
    after: str
    why: tuple[str, ...]
    """What of it differs besides; empty when `before` and `after` say it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionShape:
    """What differs of one kind."""

    of: str
    """`applications`, `services`, `routes`, `workers`, `crons`, `variables`, `images` or `slugs`."""
    changes: tuple[DifferenceShape, ...]
    same: int
    """How many do not differ."""


def differences(one: Described, other: Described) -> tuple[SectionShape, ...]:
    """By section, in their order; a section without anything in both is left out."""
    found = []
    for section in SECTIONS:
        before, after = one.sections.get(section, {}), other.sections.get(section, {})
        changes = tuple(_changes(before, after))
        if before or after:
            same = len(before.keys() & after.keys()) - sum(change.change == "changed" for change in changes)
            found.append(SectionShape(of=section, changes=changes, same=same))
    return tuple(found)


def _changes(before: Mapping[str, Fact], after: Mapping[str, Fact]) -> Iterator[DifferenceShape]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield DifferenceShape(
                name=name, change="added" if old is None else "removed", before=old.shown if old else "",
                after=new.shown if new else "", why=(),
            )
        elif old != new:
            parts = sorted(old.parts.keys() | new.parts.keys())
            yield DifferenceShape(
                name=name, change="changed", before=old.shown, after=new.shown,
                why=tuple(part for part in parts if old.parts.get(part) != new.parts.get(part)),
            )


def describe(version: Version, config: ProjectConfig | None, project: ProjectSettings, branch: str) -> Described:
    """
    Args:
        config: What its files say; None: they cannot be read any more, and what they alone say is not compared.
        project: Settings and variables as they are now: those of its time are not kept.
    """
    configured = {app.name: app for app in config.applications} if config else {}
    sections = {
        "applications": {app.name: _application(app, configured.get(app.name)) for app in version.apps},
        "images": {
            **{app.name: Fact(_short(app.image_id)) for app in version.apps},
            **{service.name: Fact(_short(service.image_id)) for service in version.services},
        },
        "slugs": {app.name: Fact(app.slug[:SHORT]) for app in version.apps},
        "services": {service.name: Fact(service.type) for service in version.services},
        "routes": {url: Fact() for url in version.routes},
    }
    return Described(sections if config is None else {**sections, **_of_files(config, project, branch)})


def _of_files(config: ProjectConfig, project: ProjectSettings, branch: str) -> dict[str, dict[str, Fact]]:
    apps = config.applications
    return {
        "services": {service.name: _service(service) for service in config.services},
        "routes": {route.url: _route(route) for route in config.routes},
        "workers": {
            worker_part(app.name, worker.name): Fact("", _instance(worker.instance))
            for app in apps for worker in app.workers
        },
        "crons": {
            f"{app.name}: {cron.name}": Fact(cron.spec[:LONGEST_SHOWN], {
                "its command changed": digest((cron.start, cron.stop)),
                "its limits changed": digest((cron.shutdown_timeout_seconds, cron.timeout_seconds)),
            })
            for app in apps for cron in app.crons
        },
        "variables": {
            f"{app.name}: {name}": Fact("", {UNTOLD: f"{project.id}/{branch}"} if is_secret else {
                "its value differs": digest(value),
            })
            for app in apps for name, value, is_secret in _variables(app, project, branch)
        },
    }


def _application(version: AppVersion, app: Application | None) -> Fact:
    built = {said: str(getattr(version.parts, part)) for part, said in REASONS.items()}
    built["the number of its instances changed"] = str(version.instances)
    if app is None:
        return Fact("", built)
    return Fact(_type(app), {
        **built, **_instance(app.web.instance), "its hooks changed": digest((app.hooks.deploy, app.hooks.post_deploy)),
        "how it is served changed": digest((app.web.locations, app.web.protocol, app.web.socket_family)),
    })


def _type(app: Application) -> str:
    return f"{app.runtime_name}:{app.version}"


def _instance(found: Instance) -> dict[str, str]:
    return {
        "its commands changed": digest(found.commands), "its relationships changed": digest(found.relationships),
        "its mounts changed": digest(found.mounts),
        "its size changed": digest((found.size, found.disk_mb, found.resources, found.container_profile)),
        "its firewall changed": digest(found.firewall),
    }


def _service(service: Service) -> Fact:
    return Fact(service.type, {
        "its size changed": digest((service.size, service.disk_mb, service.resources, service.container_profile)),
        "its configuration changed": digest((service.schemas, service.endpoints, service.configuration)),
        "its relationships changed": digest(service.relationships),
    })


def _route(route: RouteTemplate) -> Fact:
    leads = f"{route.type} {route.upstream or route.to or ''}".strip()
    return Fact(leads[:LONGEST_SHOWN], {"its settings changed": digest(route)})


def _variables(app: Application, project: ProjectSettings, branch: str) -> Iterator[tuple[str, object, bool]]:
    """(name, value, whether nobody is told what it is)"""
    found = variables_of(app, app.web.instance, project, branch, building=False)
    secrets = {
        canonical_name(name) for level in project.variable_levels(branch) for name, variable in level.variables.items()
        if variable.sensitive or may_be_secret(name, as_text(variable.value))
    }
    for name, value in found.environment.items():
        yield name, value, f"env:{name}" in secrets
    for name, other in found.platform.items():
        yield name, other, name in secrets


def _short(image: str) -> str:
    return image.removeprefix("sha256:")[:SHORT]


def digest(value: object) -> str:
    """The same for what says the same, wherever it stands."""
    return sha256(repr(_content(value)).encode(errors="surrogatepass")).hexdigest()


def _content(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in fields(value) if item.name not in NO_CONTENT]
        return (type(value).__name__, [(name, _content(getattr(value, name))) for name in names])
    if isinstance(value, Mapping):
        return sorted((str(name), _content(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    return value
