"""What an environment is made of: routes, applications with their relationships, mounts and variables, services.

As the files of the live commit and the settings say; what runs of it is in `usage`. Nothing here is a secret:
relationships are names, and of a variable that may be one only its name is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from deployd.environment.routes import ResolvedRoute, routes_of
from deployd.environment.shown_variables import variables_shown
from deployd.ids import EnvironmentId
from deployd.project.model import Application, Instance, Mount, ProjectConfig, Relationship
from deployd.queries.environments import EnvironmentQueries
from deployd.release.applications.instances import port_of
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.version import worker_part
from deployd.state.store import Store
from deployd.upkeep.ownership import read_live, read_paused

OF_SETTINGS = ("project", "environment")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteShape:
    url: str
    type: str
    """`upstream`, `redirect` or `proxy`."""
    upstream: str
    """The application or service behind it; empty: none."""
    to: str
    """Where a redirect or a proxy leads; empty: nowhere."""
    primary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipShape:
    name: str
    target: str
    """The service or application."""
    endpoint: str
    port: int = 0
    """Where it is reached by its name, `database.internal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountShape:
    path: str
    source: str
    """`local`, `service`, `storage` or `tmp`."""
    service: str
    """Whose volume it is, when it is not the application's own; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableShape:
    name: str
    """As programs find it; with `php:` and other prefixes as it is written."""
    value: str | None
    """Null: it is sensitive, may be a secret, or is made by deployd; for viewers, also when the settings say it."""
    of: str
    """`application` (its file), `project`, `environment` (the settings) or `platform`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceShape:
    """An application's web instance, or one of its workers."""

    name: str
    """Of a worker `app--worker`, as in `usage`."""
    relationships: tuple[RelationshipShape, ...]
    mounts: tuple[MountShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationShape:
    name: str
    type: str
    web: InstanceShape
    workers: tuple[InstanceShape, ...]
    variables: tuple[VariableShape, ...]
    instances: tuple[str, ...] = ()
    """What each of its instances is called, in `usage` and over SSH: `app`, `app.2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceShape:
    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsShape:
    project: str
    environment: str
    activity: int | None
    """Whose version it is; null: nothing is live, and there are no parts."""
    routes: tuple[RouteShape, ...] = ()
    applications: tuple[ApplicationShape, ...] = ()
    services: tuple[ServiceShape, ...] = ()


class PartQueries:
    def __init__(
        self, store: Store, host: Host, environments: EnvironmentQueries, mask: Callable[[str], str],
    ) -> None:
        """
        Args:
            mask: Takes known secrets out of a text: a variable may hold the value of a sensitive one.
        """
        self._mask = mask
        self._store = store
        self._host = host
        self._environments = environments

    async def of(self, project: str, environment: str) -> PartsShape:
        """Of an environment (machine name or branch), as it is live.

        Raises:
            NotFound: There is no such environment.
            ConfigurationRefused: Its files cannot be read any more.
        """
        found = await self._environments.find_configured(project, environment)
        key, settings = EnvironmentId(found.project, found.name), self._host.settings
        release = await read_live(self._store, settings, key) or await read_paused(self._store, settings, key)
        if release is None:
            return PartsShape(project=found.project, environment=found.name, activity=None)
        config = await read_config(release, self._host)
        routes = routes_of(self._host.settings, release.project, found.id, found.branch, config).routes
        release = replace(release, project=await self._host.facts.with_variables(
            release.project, release.branch, release.version.variables,
        ))
        return PartsShape(
            project=found.project, environment=found.name, activity=release.id,
            routes=tuple(map(_route, routes)),
            applications=tuple(self._application(release, config, app) for app in config.applications),
            services=tuple(ServiceShape(name=service.name, type=service.type) for service in config.services),
        )

    def _application(self, release: Release, config: ProjectConfig, app: Application) -> ApplicationShape:
        return ApplicationShape(
            name=app.name, type=app.type, web=_instance(config, app.name, app.web.instance),
            workers=tuple(
                _instance(config, worker_part(app.name, worker.name), worker.instance) for worker in app.workers
            ),
            variables=tuple(
                VariableShape(name=item.name, value=None if item.value is None else self._mask(item.value), of=item.of)
                for item in variables_shown(app, release.project, release.branch, config.dialect.variable_prefix)
            ),
            instances=release.webs(app.name),
        )


def without_settings(parts: PartsShape) -> PartsShape:
    """As viewers see it: they may read the repository, and so the variables of its files, not those of the settings."""
    return replace(parts, applications=tuple(
        replace(app, variables=tuple(
            replace(item, value=None) if item.of in OF_SETTINGS else item for item in app.variables
        )) for app in parts.applications
    ))


def _route(route: ResolvedRoute) -> RouteShape:
    return RouteShape(
        url=route.url, type=route.type, upstream=route.template.upstream or "" if route.type == "upstream" else "",
        to=route.to or "", primary=route.primary,
    )


def _instance(config: ProjectConfig, name: str, instance: Instance) -> InstanceShape:
    return InstanceShape(
        name=name, relationships=tuple(_relationship(config, found) for found in instance.relationships),
        mounts=tuple(map(_mount, instance.mounts)),
    )


def _relationship(config: ProjectConfig, found: Relationship) -> RelationshipShape:
    return RelationshipShape(
        name=found.name, target=found.target, endpoint=found.endpoint, port=port_of(config, found),
    )


def _mount(found: Mount) -> MountShape:
    return MountShape(path=found.path, source=found.source, service=found.service or "")
