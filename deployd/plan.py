"""What a deployment would do, and why: (what is wanted, what is live) -> Plan. Pure.

`deployd plan` and the deployment itself call the same function, so the answer before a push is the act after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from deployd.ids import SlugKey
from deployd.project.offered.services import SERVICE_TYPES, WITHOUT_CONTAINER


@dataclass(frozen=True, slots=True)
class KeyParts:
    """Digests of what the key of a slug is made of, kept apart so that a rebuild can name its reason."""

    tree: str
    settings: str
    variables: str
    image: str
    recipe: str


REASONS = {
    "tree": "its files changed",
    "settings": "its build settings changed",
    "variables": "a variable that builds see changed",
    "image": "its runtime image changed",
    "recipe": "deployd builds in a new way",
}


@dataclass(frozen=True, slots=True)
class WantedApp:
    """An application as the commit wants it."""

    name: str
    slug: SlugKey
    parts: KeyParts
    slug_exists: bool
    running: str
    """Digest of what run time depends on and the slug does not: hooks, relationships, web, workers, variables."""
    changed_files: int | None = None
    """Against what is live; None when that is not known."""
    has_deploy_hook: bool = True
    anew: bool = False
    """It is built whatever there is."""


@dataclass(frozen=True, slots=True)
class LiveApp:
    slug: SlugKey
    parts: KeyParts
    running: str


@dataclass(frozen=True, slots=True)
class WantedService:
    name: str
    type: str
    """`mariadb:11.8`, normalised."""
    digest: str
    """Of the container's specification and of what is provisioned in it."""
    usual_seconds: float = 0.0
    """From the end of one container until another one is ready on its data, as a rule."""


@dataclass(frozen=True, slots=True)
class LiveService:
    type: str
    digest: str
    ready_seconds: float | None = field(default=None, compare=False)
    """How long it took when it was last made anew."""


@dataclass(frozen=True, slots=True)
class Live:
    """What runs in an environment now. Empty for a new one."""

    apps: Mapping[str, LiveApp]
    services: Mapping[str, LiveService]
    routes: tuple[str, ...] = ()
    """URLs."""


WITHOUT_FORMAT = WITHOUT_CONTAINER | {name for name, known in SERVICE_TYPES.items() if known.least_disk_mb is None}
"""Kinds of services whose versions have no data of their own."""
FILES_GIVEN_A_SECOND = 20_000
"""Of a disk that has to be read; what is in memory goes four times faster."""

NOTHING_LIVE = Live({}, {})


@dataclass(frozen=True, slots=True)
class PlannedApp:
    name: str
    slug: SlugKey
    action: Literal["build", "reuse", "remove"]
    why: str


@dataclass(frozen=True, slots=True)
class PlannedService:
    name: str
    action: Literal["create", "keep", "recreate", "remove"]
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    apps: tuple[PlannedApp, ...]
    services: tuple[PlannedService, ...]
    routes_added: tuple[str, ...] = ()
    routes_removed: tuple[str, ...] = ()
    run_deploy_hook: bool = True
    deploy_hook_why: str = ""
    refusals: tuple[str, ...] = ()
    """Why this must not be done at all; empty when it may."""
    rolling: bool = False
    """Nobody is held: the earlier version serves while the deploy hook runs."""
    switch_why: str = ""
    held_why: str = ""
    """What is replaced while visitors are held, and for how long."""

    def lines(self) -> list[str]:
        """The plan as people read it before anything runs."""
        return [
            *(f"{app.name}: {app.action} ({app.why})" for app in self.apps),
            *(f"{service.name}: {service.action} ({service.why})" for service in self.services),
            *(f"{url}: new route" for url in self.routes_added),
            *(f"{url}: route removed" for url in self.routes_removed),
            f"deploy hook: {'run' if self.run_deploy_hook else 'not run'} ({self.deploy_hook_why})",
            *((f"switch: {self.switch_why}",) if self.switch_why else ()),
            *((f"visitors: {self.held_why}",) if self.held_why else ()),
        ]


def make_plan(
    apps: Sequence[WantedApp], services: Sequence[WantedService], routes: Sequence[str], live: Live, *,
    rolling: bool = False, freeze_seconds: float = 60, given_files: int = 0,
) -> Plan:
    """
    Args:
        rolling: The operator says that two versions of these applications can work side by side.
        freeze_seconds: For how long visitors are held at most.
        given_files: Files in mounts that get another owner.
    """
    planned_apps = tuple(_plan_apps(apps, live))
    planned_services = tuple(_plan_services(services, live))
    run, why = _deploy_hook(apps, planned_services, routes, live)
    return Plan(
        planned_apps,
        planned_services,
        tuple(url for url in routes if url not in live.routes),
        tuple(url for url in live.routes if url not in routes),
        run,
        why,
        tuple(_refusals(services, live)),
        *(_switch(planned_services) if rolling and live.apps else (False, "")),
        _held(planned_services, services, live, freeze_seconds, given_files) if live.apps else "",
    )


def _plan_apps(apps: Sequence[WantedApp], live: Live) -> Iterator[PlannedApp]:
    for app in apps:
        before = live.apps.get(app.name)
        if app.slug_exists:
            same = before is not None and before.slug == app.slug
            yield PlannedApp(app.name, app.slug, "reuse", "unchanged" if same else "built before with the same input")
        else:
            yield PlannedApp(app.name, app.slug, "build", _why_build(app, before))
    for name, gone in live.apps.items():
        if name not in {app.name for app in apps}:
            yield PlannedApp(name, gone.slug, "remove", "no longer in the project")


def _why_build(app: WantedApp, before: LiveApp | None) -> str:
    if app.anew:
        return "asked for, with an empty cache"
    if before is None:
        return "first build"
    changed = [part.name for part in fields(KeyParts)
               if getattr(app.parts, part.name) != getattr(before.parts, part.name)]
    if changed == ["tree"] and app.changed_files:
        return f"{app.changed_files} file{'s' if app.changed_files > 1 else ''} changed"
    return ", ".join(REASONS[name] for name in changed) or "its slug is not in storage any more"


def _plan_services(services: Sequence[WantedService], live: Live) -> Iterator[PlannedService]:
    for service in services:
        before = live.services.get(service.name)
        if before is None:
            yield PlannedService(service.name, "create", service.type)
        elif before.digest == service.digest:
            yield PlannedService(service.name, "keep", "unchanged")
        elif before.type != service.type and _kind(before.type) == _kind(service.type) in WITHOUT_CONTAINER:
            yield PlannedService(service.name, "keep", "a folder of the host, the same for every version")
        elif before.type != service.type:
            yield PlannedService(service.name, "recreate", f"{before.type} becomes {service.type}, data kept")
        else:
            yield PlannedService(service.name, "recreate", "its configuration or image changed, data kept")
    for name in live.services:
        if name not in {service.name for service in services}:
            yield PlannedService(name, "remove", "no longer among the services; its volume is kept")


def _deploy_hook(
    apps: Sequence[WantedApp], services: Sequence[PlannedService], routes: Sequence[str], live: Live,
) -> tuple[bool, str]:
    """Configuration format 8.5: the hook's result is part of the built state, and reused until something changes."""
    if not any(app.has_deploy_hook for app in apps):
        return False, "no application has one"
    if not live.apps:
        return True, "first deployment"
    for app in apps:
        before = live.apps.get(app.name)
        if before is None or before.slug != app.slug:
            return True, f"the code of {app.name} changed"
        if before.running != app.running:
            return True, f"the configuration of {app.name} changed"
    changed = [service.name for service in services if service.action != "keep"]
    if changed:
        return True, f"{', '.join(changed)} changed"
    if set(routes) != set(live.routes):
        return True, "the routes changed, and applications read them"
    return False, "neither code nor configuration changed"


def _held(
    planned: Sequence[PlannedService], wanted: Sequence[WantedService], live: Live, freeze_seconds: float,
    given_files: int,
) -> str:
    anew = [service for service in planned if service.action == "recreate"]
    what = [service.name for service in anew] + (["the owner of the files in its mounts"] if given_files else [])
    if not what:
        return ""
    usual = {service.name: service.usual_seconds for service in wanted}
    took = [live.services[item.name].ready_seconds or usual[item.name] for item in anew]   # side by side
    seconds = max(took, default=0.0) + given_files / FILES_GIVEN_A_SECOND
    are = "are" if len(what) > 1 else "is"
    said = f"held while {', '.join(what)} {are} replaced, for some {max(1, round(seconds))} s"
    if seconds <= freeze_seconds:
        return said
    return (f"{said}; after {freeze_seconds:g} s (`freeze_seconds`) they see the maintenance page until the new version"
            " is live")


def _switch(services: Sequence[PlannedService]) -> tuple[bool, str]:
    anew = [service.name for service in services if service.action in ("recreate", "remove")]
    if anew:
        return False, f"with a freeze this time, because {', '.join(anew)} cannot serve two versions at once"
    return True, "rolling (the earlier version serves until the new one answers)"


def _refusals(services: Sequence[WantedService], live: Live) -> Iterator[str]:
    for service in services:
        before = live.services.get(service.name)
        if before is None or before.type == service.type:
            continue
        old_kind, _, old_version = before.type.partition(":")
        new_kind, _, new_version = service.type.partition(":")
        if old_kind != new_kind:
            yield (f"the service {service.name} cannot change from {before.type} to {service.type} and keep its data: "
                   "give the new one a new name")
        elif _numbers(new_version) < _numbers(old_version) and new_kind not in WITHOUT_FORMAT:
            yield (f"the service {service.name} cannot go back from {before.type} to {service.type}: "
                   "its data are in the newer format; give the older one a new name")


def _kind(type_: str) -> str:
    return type_.partition(":")[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
