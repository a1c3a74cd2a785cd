"""Everything that the files of one commit say, and what reading them gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.project.model.application import Application
from deployd.project.model.checks import CHECKS_FILE, Checks
from deployd.project.model.dialect import Dialect, is_merged_file
from deployd.project.model.finding import Finding
from deployd.project.model.place import Place
from deployd.project.model.routes import RouteTemplate
from deployd.project.model.service import Service


@dataclass(frozen=True, slots=True)
class ImageAsked:
    """A runtime or a service that must be in the catalogue of the host."""

    name: str
    """`php`; of a service its kind, `mariadb` for `mysql`."""
    version: str
    place: Place
    is_service: bool = False
    extensions: tuple[str, ...] = ()
    of: str = ""
    """Name of the application or service."""


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """Everything that the files of one commit say."""

    dialect: Dialect
    applications: tuple[Application, ...]
    services: tuple[Service, ...] = ()
    routes: tuple[RouteTemplate, ...] = ()
    files: tuple[str, ...] = ()
    """Paths of every configuration file that was read, included ones too."""
    checks: Checks = field(default_factory=Checks)
    """What a release of it has to pass."""
    instances: Mapping[str, int] = field(default_factory=dict)
    """{application: how often it runs in production}, of those that say so."""

    def configuration_paths(self) -> frozenset[str]:
        """Files and folders that are configuration and not code: editing a cron must not rebuild.

        Files that the configuration includes from the code (a hook's script) are not among them: a build may read them.
        """
        if self.dialect.is_merged:   # what else is in the folder is code, as on Upsun: scripts that a build may run
            found = {path for path in self.files if is_merged_file(path, self.dialect)}
            return frozenset(found | ({CHECKS_FILE} & set(self.files)))
        own = {path for path in self.files if path == CHECKS_FILE or path.rsplit("/", 1)[-1] == self.dialect.app_file}
        return frozenset({*own, self.dialect.folder})

    def images_asked(self) -> tuple[ImageAsked, ...]:
        """In the order of the files."""
        return (
            *(ImageAsked(app.runtime_name, app.version, app.type_place,
                         extensions=tuple(extension.name for extension in app.runtime.extensions), of=app.name)
              for app in self.applications),
            *(ImageAsked(service.kind, service.version, service.type_place, True, of=service.name)
              for service in self.services),
        )

    def application(self, name: str) -> Application | None:
        return next((app for app in self.applications if app.name == name), None)

    def service(self, name: str) -> Service | None:
        return next((service for service in self.services if service.name == name), None)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What reading a repository gave: a configuration when no finding is an error."""

    config: ProjectConfig | None
    findings: tuple[Finding, ...] = field(default=())
    images: tuple[ImageAsked, ...] = ()
    """Of a configuration that is refused: whether the host has them is told with all else that is wrong."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")
