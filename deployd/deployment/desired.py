"""What a commit wants of an environment, ready to be compared with what is live.

The only thing that looks here is the catalogue, git and slug storage; comparing is the business of `plan.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from deployd.activity.secret_forms import SHORTEST, is_maskable
from deployd.deployment.reuse import plan_stages
from deployd.environment.application_json import application_json
from deployd.environment.exec_limits import MOST_VALUE_BYTES, value_bytes
from deployd.environment.kept_variables import SeenVariables
from deployd.environment.platform import encoded, routes_json
from deployd.environment.routes import Resolved, routes_of
from deployd.environment.variables import Variables, doubtful_variables, variables_of
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId
from deployd.plan import KeyParts, WantedApp, WantedService
from deployd.project.model import Application, ProjectConfig, Service
from deployd.release.applications.instance_count import instances_of
from deployd.release.applications.kernel_limits import too_large_to_start
from deployd.release.configuration_refused import ConfigurationRefused
from deployd.release.digests import digest, service_digest
from deployd.release.images_missing import (
    NO_CONTAINER,
    images_missing,
    kept_versions,
    runtime_choice,
    service_choice,
)
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Environment
from deployd.release.services.parts import announced_version, parts_of
from deployd.release.services.sizes import service_size
from deployd.release.version import AppVersion, ServiceVersion, Version, worker_part
from deployd.runtimes.build_steps import RECIPE_VERSION, staged_build
from deployd.services.families import family_of
from deployd.settings import ProjectSettings, Settings
from deployd.slugs.key import BuildInput, build_part, once_more, slug_key

MOST_ROUTES_BYTES = MOST_VALUE_BYTES - value_bytes("MAGENTO_CLOUD_ROUTES", "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that may become the next version of an environment."""

    place: Environment
    activity: ActivityId
    """Whose version it would be."""
    commit: CommitId
    config: ProjectConfig
    anew: bool = False
    """Everything is built, also what was built before with the same input."""
    variables: SeenVariables | None = None
    """Of those that people set; None: those of now. A `place` whose project has them already says which these are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version that is not live yet, with what the plan needs to know beside it."""

    version: Version
    apps: tuple[WantedApp, ...]
    services: tuple[WantedService, ...]
    warnings: tuple[str, ...]


def wrong_routes(routes: Resolved) -> list[DeployError]:
    """What only shows with the domains of an environment (configuration format 6.2 and 6.7)."""
    errors = [
        DeployError(f"the routes {one.url} and {other.url} are one URL here", where=str(other.place), hint="keep one")
        for one, other in routes.clashes
    ]
    size = len(encoded(routes_json(routes.routes)))
    if size > MOST_ROUTES_BYTES:
        errors.append(DeployError(
            f"PLATFORM_ROUTES would have {size:,} bytes, and a variable has {MOST_ROUTES_BYTES:,} at most",
            where=str(routes.routes[0].template.place),
            hint="use wildcards and `redirects`; authorities for clients count for each of their routes",
        ))
    return errors


def build_variables(project: ProjectSettings, app: Application, branch: str) -> Variables:
    return variables_of(app, app.web.instance, project, branch, building=True)


async def find_wanted(
    host: Host, candidate: Candidate, live: Version | None, tell: Callable[[str], None],
) -> Wanted:
    """
    Raises:
        ConfigurationRefused: It asks for a runtime or a service that this host does not have.
    """
    candidate, seen = await _with_variables(host, candidate)
    place, config = candidate.place, candidate.config
    project = place.project
    kept = kept_versions(live.services if live else (), config.services)
    refusals, warnings = images_missing(
        host.catalogue, config.images_asked(), nearest=host.settings.takes_nearest(project),
        services=host.settings.service_fallback_of(project), kept=kept, today=host.clock.now().date(),
    )
    errors = [refusal.error for refusal in refusals]
    routes = routes_of(host.settings, project, place.environment, place.branch, config)
    errors += wrong_routes(routes) or await asyncio.to_thread(   # a large one takes a tenth of a second
        too_large_to_start, config, project, place.branch, routes.routes,
    )
    if errors:
        raise ConfigurationRefused.because(errors)
    apps = [await _app_as_wanted(host, candidate, live, app, tell) for app in config.applications]
    services = [await _service_version(host, project, service, kept.get(service.name), tell)
                for service in config.services]
    return Wanted(
        Version(
            candidate.activity, candidate.commit, tuple(version for version, _ in apps), tuple(services),
            tuple(route.url for route in routes.routes),
            await host.facts.uid(project.id),
            seen,
        ),
        tuple(wanted for _, wanted in apps),
        wanted_services(host.settings, config, services),
        (*warnings, *_announced(host.settings, project, config, services), *routes.warnings,
         *cannot_be_masked(project), *doubtful_variables(project)),
    )


async def _with_variables(host: Host, candidate: Candidate) -> tuple[Candidate, SeenVariables]:
    """The same, in a project as its environment sees it; with which variables that is."""
    if candidate.variables is not None:
        return candidate, candidate.variables
    place = candidate.place
    seen = await host.facts.variables_now(place.project, place.branch)
    project = await host.facts.with_variables(place.project, place.branch, seen)
    return replace(candidate, place=replace(place, project=project)), seen


def wanted_services(
    settings: Settings, config: ProjectConfig, versions: Iterable[ServiceVersion],
) -> tuple[WantedService, ...]:
    """Services as the plan compares them."""
    usual = {service.name: _usual_seconds(settings, service) for service in config.services}
    return tuple(WantedService(item.name, item.type, item.digest, usual.get(item.name, 0.0)) for item in versions)


def _usual_seconds(settings: Settings, service: Service) -> float:
    if service.kind in NO_CONTAINER:
        return 0.0
    return family_of(service).parts(service, memory_mb=service_size(settings, service).memory_mb).usual_seconds


def _announced(
    settings: Settings, project: ProjectSettings, config: ProjectConfig, versions: Iterable[ServiceVersion],
) -> Iterable[str]:
    """Warnings about servers that do not say which version they are."""
    runs = {item.name: item.type for item in versions}
    for service in config.services:
        kind = runs[service.name]
        said = announced_version(settings, project, service, kind.partition(":")[2])
        if said:
            yield (f"{service.place}: {service.name} is {kind} and announces {said}, because the operator wants it "
                   "(announce_asked_version); what differs between the two does differ")


def cannot_be_masked(project: ProjectSettings) -> list[str]:
    """Warnings about sensitive values that are too short."""
    return [
        f"{key} is sensitive and has fewer than {SHORTEST} characters: it cannot be masked in logs; ask the operator"
        " for a longer one"
        for key, value in project.sensitive().items() if not is_maskable(value)
    ]


async def _app_as_wanted(
    host: Host, candidate: Candidate, live: Version | None, app: Application, tell: Callable[[str], None],
) -> tuple[AppVersion, WantedApp]:
    project = candidate.place.project
    nearest = host.settings.takes_nearest(project)
    choice = runtime_choice(host.catalogue, app.runtime_name, app.version, nearest=nearest)
    version = await _app_version(host, candidate, app, await host.images.ensure(choice.entry, tell))
    was_built = candidate.anew and await host.slugs.has(version.slug)
    if was_built:   # under another key: the slug that there is may be live somewhere
        version = replace(version, slug=once_more(version.slug, str(candidate.activity)))
    before = live.app(app.name) if live else None
    changed = None
    if live and before and before.parts.tree != version.parts.tree:
        changed = await host.code.changed_files(project.id, live.commit, candidate.commit, app.root)
    exists = await host.slugs.has(version.slug)
    stages = () if exists else await plan_stages(
        host, project, candidate.place.branch, candidate.commit, live.commit if live else None, app, version.parts,
        staged_build(app), variables=_visible_in_builds(project, app, candidate.place.branch), anew=candidate.anew,
    )
    return version, WantedApp(
        app.name, version.slug, version.parts, exists, version.running, changed, app.hooks.deploy is not None,
        candidate.anew, stages, version.instances,
    )


async def _app_version(host: Host, candidate: Candidate, app: Application, image_id: str) -> AppVersion:
    project, branch, commit = candidate.place.project, candidate.place.branch, candidate.commit
    listing, tree = await in_parallel([
        host.code.listing(project.id, commit, app.root, candidate.config),
        host.code.tree(project.id, commit, app.root),
    ])
    settings = build_part(app)
    visible = _visible_in_builds(project, app, branch)
    parts = KeyParts(listing, digest(settings), digest(visible), image_id, str(RECIPE_VERSION))
    return AppVersion(
        app.name,
        slug_key(BuildInput(project.id, app.name, listing, settings, visible, image_id, RECIPE_VERSION)),
        tree,
        image_id,
        parts,
        _running_digest(project, app, branch),
        tuple(worker_part(app.name, worker.name) for worker in app.workers),
        instances=instances_of(project, branch, candidate.config, app.name),
    )


async def _service_version(
    host: Host, project: ProjectSettings, service: Service, kept: str | None, tell: Callable[[str], None],
) -> ServiceVersion:
    image_id, number, parts = "", service.version, None
    if service.kind not in NO_CONTAINER:
        fallback = host.settings.service_fallback_of(project)
        choice = service_choice(host.catalogue, service.kind, service.version, fallback, kept=kept)
        image_id, number = await host.images.ensure(choice.entry, tell), choice.version
        parts = parts_of(host.settings, project, service, number)
    kind = f"{service.kind}:{number}"   # what runs: its data are in the format of that version
    return ServiceVersion(service.name, kind, image_id, service_digest(host.settings, service, image_id, parts))


def variable_digests(project: ProjectSettings, app: Application, branch: str) -> tuple[str, str]:
    """(of the variables that its build sees, of all that it sees when it runs), as versions have them: whoever compares
    knows what another value would build and start anew."""
    return digest(_visible_in_builds(project, app, branch)), _running_digest(project, app, branch)


def _visible_in_builds(project: ProjectSettings, app: Application, branch: str) -> dict[str, dict[str, Any]]:
    variables = build_variables(project, app, branch)
    return {"environment": dict(variables.environment), "platform": dict(variables.platform)}


def _running_digest(project: ProjectSettings, app: Application, branch: str) -> str:
    variables = variables_of(app, app.web.instance, project, branch, building=False)
    return digest([application_json(app, building=False), dict(variables.environment), dict(variables.platform)])
