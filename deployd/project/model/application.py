"""An application as its files define it, defaults filled in and overrides applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deployd.project.model.container import FirewallRule, Relationship, Resources
from deployd.project.model.installs import Install
from deployd.project.model.json import Json, nothing
from deployd.project.model.magento import Magento
from deployd.project.model.place import NOWHERE, Place
from deployd.project.model.web import Location


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
class Commands:
    """The long-running process of an instance."""

    start: str | None = None
    pre_start: str | None = None
    post_start: str | None = None


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
    magento: Magento | None = None
    """It is built and deployed by deployd's own recipe for Magento; None: by its hooks alone."""
    installs: tuple[Install, ...] = ()
    """What it installs by lock files, in the order in which that is done."""
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
