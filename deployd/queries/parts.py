"""What an environment is made of: routes, applications with their relationships, mounts and variables, services.

As the files of the live commit and the settings say; what runs of it is in `usage`. Nothing here is a secret:
relationships are names, and of a variable that may be one only its name is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deployd.environment.hosts import ResolvedRoute, routes_of
from deployd.environment.variables import as_text, variables_of
from deployd.ids import EnvironmentId
from deployd.project.model import Application, Instance, Json, Mount, ProjectConfig, Relationship
from deployd.queries.environments import EnvironmentQueries
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.version import worker_part
from deployd.settings import ProjectSettings
from deployd.state.store import Store
from deployd.upkeep.ownership import read_live

LONGEST_VALUE = 500
MAY_BE_SECRET = re.compile(
    r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|AUTH|SALT|DSN|_URL$|COOKIE|SIGN|LICEN[CS]E", re.IGNORECASE,
)
"""A variable of such a name is not shown, though nobody marked it as sensitive."""
SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]*@|-----BEGIN ")
OF_PLATFORM = ("APPLICATION", "APPLICATION_NAME", "BRANCH", "ENVIRONMENT", "ENVIRONMENT_TYPE", "PROJECT",
               "PROJECT_ENTROPY", "RELATIONSHIPS", "ROUTES", "TREE_ID", "VARIABLES")


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
    """Null: it is sensitive, may be a secret, or is made by deployd."""
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
    def __init__(self, store: Store, host: Host, environments: EnvironmentQueries) -> None:
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
        release = await read_live(self._store, self._host.settings, EnvironmentId(found.project, found.name))
        if release is None:
            return PartsShape(project=found.project, environment=found.name, activity=None)
        config = await read_config(release, self._host)
        routes = routes_of(self._host.settings, release.project, found.id, found.branch, config).routes
        return PartsShape(
            project=found.project, environment=found.name, activity=release.id,
            routes=tuple(map(_route, routes)),
            applications=tuple(_application(release, config, app) for app in config.applications),
            services=tuple(ServiceShape(name=service.name, type=service.type) for service in config.services),
        )


def _route(route: ResolvedRoute) -> RouteShape:
    return RouteShape(
        url=route.url, type=route.type, upstream=route.template.upstream or "" if route.type == "upstream" else "",
        to=route.to or "", primary=route.primary,
    )


def _application(release: Release, config: ProjectConfig, app: Application) -> ApplicationShape:
    return ApplicationShape(
        name=app.name, type=app.type, web=_instance(app.name, app.web.instance),
        workers=tuple(_instance(worker_part(app.name, worker.name), worker.instance) for worker in app.workers),
        variables=variables_shown(app, release.project, release.branch, config.dialect.variable_prefix),
    )


def _instance(name: str, instance: Instance) -> InstanceShape:
    return InstanceShape(
        name=name, relationships=tuple(map(_relationship, instance.relationships)),
        mounts=tuple(map(_mount, instance.mounts)),
    )


def _relationship(found: Relationship) -> RelationshipShape:
    return RelationshipShape(name=found.name, target=found.target, endpoint=found.endpoint)


def _mount(found: Mount) -> MountShape:
    return MountShape(path=found.path, source=found.source, service=found.service or "")


def variables_shown(
    app: Application, project: ProjectSettings, branch: str, prefix: str,
) -> tuple[VariableShape, ...]:
    """What an application sees at run time, by name. Pure."""
    found = variables_of(app, app.web.instance, project, branch, building=False)
    seen: dict[str, Json] = {**{f"env:{name}": value for name, value in found.environment.items()}, **found.platform}
    levels = {"environment": project.environment_variables(branch), "project": project.variables}
    upper = {of: {_as_seen(name): variable for name, variable in level.items()} for of, level in levels.items()}
    shown = []
    for name, value in sorted(seen.items()):
        of = next((of for of, level in upper.items() if name in level), "application")
        secret = of != "application" and upper[of][name].sensitive
        text = as_text(value)
        hidden = secret or MAY_BE_SECRET.search(name) or SECRET_VALUE.search(text)
        shown.append(VariableShape(
            name=name.removeprefix("env:"), value=None if hidden else text[:LONGEST_VALUE], of=of,
        ))
    return (*shown, *_of_platform(app, branch, prefix))


def _of_platform(app: Application, branch: str, prefix: str) -> Iterator[VariableShape]:
    known: Mapping[str, str] = {"APPLICATION_NAME": app.name, "BRANCH": branch}
    for name in OF_PLATFORM:
        yield VariableShape(name=f"{prefix}{name}", value=known.get(name), of="platform")


def _as_seen(name: str) -> str:
    return f"env:{name[4:].upper()}" if name.startswith("env:") else name
