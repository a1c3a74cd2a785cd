"""What a repository says about its project, typed, immutable and normalised.

Everything behind the reader works with these values: defaults are filled in, short and long forms are made one, and
no dictionary of YAML travels further. The meaning of each key is in docs/configuration.md.
Surprise: a `Place` hangs on what people may have to mend, so that an error found hours later can still point there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
"""A value that came from YAML and goes on as JSON, unread by us (variables, extension settings)."""

EMPTY: Mapping[str, Any] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """The empty mapping, as a default factory: dataclasses refuse a mapping as a plain default before Python 3.12."""
    return EMPTY


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the repository something is said. Lines and columns count from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


NOWHERE = Place("")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What Magento Commerce Cloud, Platform.sh and Upsun differ in; what each key means is the same in all of them."""

    name: Literal["magento", "platformsh", "upsun"]
    app_file: str
    """Name of an application's file; "" where every YAML file of the folder has a part of one document."""
    folder: str
    variable_prefix: str
    tool_file: str = ""
    """Name of a file beside the application's that is its own tool's, and only looked at."""
    builds_see_environment: bool = True
    """An environment's variables are for builds too, unless the operator says otherwise."""
    builds_see_hooks: bool = False
    """A build finds the hooks of the deployment in this spelling, where its tool looks whether there are any."""
    service_variables: bool = False
    """Each relationship is in variables of its own, too: `DATABASE_HOST`."""
    sizes_disks: bool = True
    """The files say how large disks are; else this is no setting of the project."""

    @property
    def is_merged(self) -> bool:
        return not self.app_file

    @property
    def files(self) -> str:
        """How a sentence names its files."""
        return f"`{self.folder}/*.yaml`" if self.is_merged else f"`{self.app_file}` and `{self.folder}/`"

    def file_of(self, part: Literal["applications", "services", "routes"]) -> str:
        """Where people write a part of the configuration."""
        return f"{self.folder}/{'config' if self.is_merged else part}.yaml"


MAGENTO = Dialect(
    "magento", ".magento.app.yaml", ".magento", "MAGENTO_CLOUD_", tool_file=".magento.env.yaml",
    builds_see_environment=False, builds_see_hooks=True,
)
PLATFORMSH = Dialect("platformsh", ".platform.app.yaml", ".platform", "PLATFORM_")
UPSUN = Dialect("upsun", "", ".upsun", "PLATFORM_", service_variables=True, sizes_disks=False)
DIALECTS = {dialect.name: dialect for dialect in (MAGENTO, PLATFORMSH, UPSUN)}
"""{name: dialect}"""
VARIABLE_PREFIXES = tuple(dict.fromkeys(dialect.variable_prefix for dialect in (PLATFORMSH, *DIALECTS.values())))
"""In all of which an application finds the platform's variables."""


def is_merged_file(path: str, dialect: Dialect, ending: str | tuple[str, ...] = ".yaml") -> bool:
    """Whether a file is part of the one document of a dialect: at the first level of its folder (Upsun's manual)."""
    folder, _, name = path.rpartition("/")
    return folder == dialect.folder and name.endswith(ending)


@dataclass(frozen=True, slots=True)
class Relationship:
    """An application's way to one endpoint of a service or of another application."""

    name: str
    target: str
    """Name of the service or application."""
    endpoint: str
    """Endpoint of the target, its default filled in."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Mount:
    """A read-write folder below the application's root."""

    path: str
    """Below the application's root, without outer slashes (`pub/media`)."""
    source: Literal["local", "service", "storage", "tmp"]
    source_path: str
    """Folder in the volume; "" is the whole volume."""
    service: str | None = None
    """Whose volume it is, if not the instance's own: a network storage's, or with `storage` an application's."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Rule:
    """What differs for paths of a location that match a regular expression. None: as the location says."""

    pattern: str
    allow: bool | None = None
    passthru: bool | str | None = None
    scripts: bool | None = None
    expires_seconds: int | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RequestBuffering:
    enabled: bool = True
    max_request_size_bytes: int = 262_144_000


@dataclass(frozen=True, slots=True)
class Location:
    """How the web server of an application answers below one path prefix."""

    path: str
    root: str | None = None
    """Folder of static files below the application's root, without outer slashes; "" is the root itself."""
    passthru: bool | str = False
    index: tuple[str, ...] = ()
    expires_seconds: int = -1
    """-1 forbids caching."""
    allow: bool = True
    scripts: bool = True
    headers: Mapping[str, str] = field(default_factory=nothing)
    request_buffering: RequestBuffering = RequestBuffering()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """The long-running process of an instance."""

    start: str | None = None
    pre_start: str | None = None
    post_start: str | None = None


@dataclass(frozen=True, slots=True)
class FirewallRule:
    protocol: Literal["tcp"] = "tcp"
    ips: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    base_memory_mb: int | None = None
    memory_ratio_mb: int | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """What the web instance and each worker of an application have, overrides already applied."""

    commands: Commands
    size: str = "AUTO"
    disk_mb: int | None = None
    mounts: tuple[Mount, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    variables: Mapping[str, Mapping[str, Json]] = field(default_factory=nothing)
    """{prefix: {name: value}}"""
    access: Mapping[str, str] = field(default_factory=nothing)
    firewall: tuple[FirewallRule, ...] | None = None
    """None: everything outbound is allowed."""
    resources: Resources | None = None
    container_profile: str | None = None
    additional_hosts: Mapping[str, str] = field(default_factory=nothing)
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """How an application is reached over HTTP."""

    instance: Instance
    socket_family: Literal["tcp", "unix"]
    protocol: Literal["http", "fastcgi"]
    locations: tuple[Location, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Worker:
    name: str
    instance: Instance
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Hook:
    """A shell script, run by dash in the application's root; its status is the last command's."""

    script: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Hooks:
    build: Hook | None = None
    deploy: Hook | None = None
    post_deploy: Hook | None = None


@dataclass(frozen=True, slots=True)
class BuildCache:
    name: str
    directory: str
    watch: tuple[str, ...]
    allow_stale: bool = False
    share_between_apps: bool = False


@dataclass(frozen=True, slots=True)
class Build:
    flavor: str
    """`composer`, `drupal`, `symfony`, `default` or `none`; the runtime's default is filled in."""
    caches: tuple[BuildCache, ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    name: str
    configuration: Mapping[str, Json] = field(default_factory=nothing)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings of the language runtime; all of them are PHP's."""

    extensions: tuple[Extension, ...] = ()
    disabled_extensions: tuple[str, ...] = ()
    request_terminate_timeout_seconds: int | None = None
    request_memory_mb: int = 45
    reserved_memory_mb: int = 70
    xdebug_idekey: str | None = None
    other: Mapping[str, Json] = field(default_factory=nothing)


@dataclass(frozen=True, slots=True)
class Cron:
    name: str
    spec: str
    start: str
    stop: str | None = None
    shutdown_timeout_seconds: int = 10
    timeout_seconds: int = 86_400
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that people run on demand in the running container."""

    name: str
    start: str
    stop: str | None = None
    role: str = "contributor"
    timeout_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    enabled: bool = True
    ignored_rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """A composable image: `name@version` of each runtime, the first is the primary one, and Nix packages."""

    runtimes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Application:
    """One application: one web instance, any number of workers, and the crons that run in the web instance."""

    name: str
    runtime_name: str
    """`php` of `php:8.4`."""
    version: str
    """`8.4` of `php:8.4`, as written."""
    root: str
    """Folder of the code in the repository, without outer slashes; "" is the whole repository."""
    web: Web
    workers: tuple[Worker, ...] = ()
    build: Build = Build("none")
    dependencies: Mapping[str, Mapping[str, Json]] = field(default_factory=nothing)
    """{language: {package: constraint}}"""
    hooks: Hooks = Hooks()
    runtime: Runtime = Runtime()
    crons: tuple[Cron, ...] = ()
    source_operations: Mapping[str, str] = field(default_factory=nothing)
    """{name: command}"""
    operations: tuple[Operation, ...] = ()
    preflight: Preflight = Preflight()
    stack: Stack | None = None
    place: Place = NOWHERE
    type_place: Place = NOWHERE
    places: Mapping[str, Place] = field(default_factory=nothing)
    """{`dependencies.php`: where it stands}, of keys whose commands may fail in a build."""

    @property
    def type(self) -> str:
        """`php:8.4`, as written."""
        return f"{self.runtime_name}:{self.version}"

    def all_mounts(self) -> tuple[Mount, ...]:
        """Mounts of the web instance and of every worker; the slug has a folder for each."""
        return (*self.web.instance.mounts, *(mount for worker in self.workers for mount in worker.instance.mounts))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A named way into a service, with what it may do there."""

    name: str
    default: str | None = None
    """Default schema, database, core, virtual host or key; None when there is none."""
    privileges: Mapping[str, str] = field(default_factory=nothing)
    """{schema: level}"""


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    kind: str
    """`mariadb` of `mariadb:11.8`; `mysql` is read as `mariadb`, as it always was."""
    version: str
    type: str
    """`mysql:10.6`, as written."""
    disk_mb: int | None = None
    size: str = "AUTO"
    schemas: tuple[str, ...] = ()
    """Databases, schemas, cores or virtual hosts that must exist, defaults filled in."""
    endpoints: tuple[Endpoint, ...] = ()
    """Every endpoint, the default ones filled in."""
    configuration: Mapping[str, Json] = field(default_factory=nothing)
    """The rest of `configuration`, keys already checked: `properties`, `maxmemory_policy`, `vcl`, …"""
    relationships: tuple[Relationship, ...] = ()
    firewall: tuple[FirewallRule, ...] | None = None
    resources: Resources | None = None
    container_profile: str | None = None
    place: Place = NOWHERE
    type_place: Place = NOWHERE

    def endpoint(self, name: str) -> Endpoint | None:
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)


@dataclass(frozen=True, slots=True)
class PathRedirect:
    path: str
    to: str
    regexp: bool = False
    prefix: bool = True
    append_suffix: bool = True
    code: int = 302
    expires_seconds: int = -1


@dataclass(frozen=True, slots=True)
class Hsts:
    enabled: bool | None = None
    include_subdomains: bool | None = None
    preload: bool | None = None


@dataclass(frozen=True, slots=True)
class RouteTls:
    min_version: str | None = None
    hsts: Hsts = Hsts()
    client_authentication: Literal["request", "require"] | None = None
    client_certificate_authorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteCache:
    enabled: bool = True
    default_ttl_seconds: int = 0
    headers: tuple[str, ...] = ("Accept", "Accept-Language")
    cookies: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    """A route as the file has it, placeholders unresolved. `environment/hosts.py` makes real routes of it."""

    url: str
    """As written: `https://{default}`."""
    type: Literal["upstream", "redirect", "proxy"]
    upstream: str | None = None
    """Name of the application or service."""
    endpoint: str | None = None
    to: str | None = None
    primary: bool | None = None
    id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=nothing)
    redirects: tuple[PathRedirect, ...] = ()
    tls: RouteTls = RouteTls()
    cache: RouteCache = RouteCache()
    ssi: bool = False
    sticky: bool = False
    place: Place = NOWHERE


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

    def configuration_paths(self) -> frozenset[str]:
        """Files and folders that are configuration and not code: editing a cron must not rebuild.

        Files that the configuration includes from the code (a hook's script) are not among them: a build may read them.
        """
        if self.dialect.is_merged:   # what else is in the folder is code, as on Upsun: scripts that a build may run
            return frozenset(path for path in self.files if is_merged_file(path, self.dialect))
        own = {path for path in self.files if path.rsplit("/", 1)[-1] == self.dialect.app_file}
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
class Finding:
    """One thing that is wrong, or that deployd wants to warn of, as a value; `report.py` makes text and JSON of it."""

    severity: Literal["error", "warning"]
    code: str
    """Stable, documented, searchable: `unknown-key`, `no-such-service`."""
    place: Place
    what: str
    """One sentence without a full stop."""
    mend: str = ""
    key: str = ""
    """Dotted path of the key: `applications.shop.hooks.deploy`."""
    excerpt: str = ""
    """The line of the file, unchanged."""
    length: int = 1
    """How many characters the caret underlines."""
    related: tuple[Place, ...] = ()


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
