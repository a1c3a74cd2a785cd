"""What a deployment would do, and why: (what is wanted, what is live) -> Plan. Pure.

`deployd plan` and the deployment itself call the same function, so the answer before a push is the act after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from deployd.ids import SlugKey
from deployd.project.offered.services import WITHOUT_CONTAINER
from deployd.project.offered.upgrades import why_data_are_lost


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
class PlannedStage:
    """A part of a build whose result may be kept for later builds (`runtimes/stages.py`)."""

    title: str
    key: SlugKey | None
    """Of what its result is made of; None: it is not kept."""
    name: str = ""
    """Of those that are kept."""
    taken: SlugKey | None = None
    """The result of an earlier build that is taken over; None: it is made anew."""
    why: str = ""

    def line(self) -> str:
        if self.key is None:
            return f"{self.title}: made anew each time" + (f" ({self.why})" if self.why else "")
        return f"{self.title}: {'reused' if self.taken else 'made anew'} ({self.why})"


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
    stages: tuple[PlannedStage, ...] = ()
    """Of its build, when it is built."""
    instances: int = 1
    """How often it runs, side by side."""


@dataclass(frozen=True, slots=True)
class LiveApp:
    slug: SlugKey
    parts: KeyParts
    running: str
    instances: int = field(default=1, compare=False)


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


FILES_GIVEN_A_SECOND = 20_000
"""Of a disk that has to be read; what is in memory goes four times faster."""

NOTHING_LIVE = Live({}, {})


@dataclass(frozen=True, slots=True)
class PlannedApp:
    name: str
    slug: SlugKey
    action: Literal["build", "reuse", "remove"]
    why: str
    stages: tuple[PlannedStage, ...] = ()
    """Of its build; empty when nothing of it may be kept."""

    def lines(self) -> list[str]:
        return [f"{self.name}: {self.action} ({self.why})", *(f"{self.name}: {item.line()}" for item in self.stages)]


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
    instances: tuple[str, ...] = ()
    """Of applications that run several times, or did."""
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
            *(line for app in self.apps for line in app.lines()),
            *self.instances,
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
        tuple(_instances(apps, live)),
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
            yield PlannedApp(app.name, app.slug, "build", _why_build(app, before), app.stages)
    for name, gone in live.apps.items():
        if name not in {app.name for app in apps}:
            yield PlannedApp(name, gone.slug, "remove", "no longer in the project")


def _instances(apps: Sequence[WantedApp], live: Live) -> Iterator[str]:
    for app in apps:
        before = live.apps.get(app.name)
        then = before.instances if before is not None else app.instances
        if app.instances > 1 or then > 1:
            many = "s" * (app.instances > 1)
            yield f"{app.name}: {app.instances} instance{many}" + (f", {then} before" if then != app.instances else "")


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
        why = why_data_are_lost(service.name, before.type, service.type) if before else None
        if why:
            yield why


def _kind(type_: str) -> str:
    return type_.partition(":")[0]
