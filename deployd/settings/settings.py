"""All that the operator wrote, validated and frozen. The commented sample is config/deployd.yaml.

Decides nothing. Every path of the daemon comes from here, so that one key (`directory`) moves all of them.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from deployd.ids import ProjectId
from deployd.settings import valid
from deployd.settings.checks import CheckSettings
from deployd.settings.config_files import config_folder
from deployd.settings.containers import DEFAULT_SIZES, BuildSettings, ContainerSettings, Size
from deployd.settings.contradictions import Wrong, contradictions
from deployd.settings.frozen import MOST, Frozen
from deployd.settings.hosts import host_template
from deployd.settings.limits import CollectSettings, Limits, OutputSettings, Shares
from deployd.settings.mail import MailRelay, MailSettings
from deployd.settings.project import AnswerWanted, PauseAfter, ProjectSettings, Strategy
from deployd.settings.router import RouterSettings, TlsSettings
from deployd.settings.ssh import SshSettings
from deployd.settings.tokens import Token

SMTP_PORT = 25
"""Where programs look for it in containers."""
DEFAULT_KEY = Path("/etc/deployd/key")


class Settings(Frozen):
    instance: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")] = "deployd"
    """Label and name prefix of everything in Docker; two daemons on one Engine need two names."""
    directory: Path | None = None
    """Puts state and run under one folder."""
    state: Path = Path("/var/lib/deployd")
    run: Path = Path("/run/deployd")
    key_file: Path | None = None
    """Of the secrets in state.db."""
    catalogue: Path | None = None
    docker_socket: Path = Path("/var/run/docker.sock")
    listen: str = "127.0.0.1:8480"
    public_url: str = ""
    """Address of `listen` as people reach it; shown in links."""
    ssh: SshSettings = SshSettings()
    router: RouterSettings = RouterSettings()
    tls: TlsSettings = TlsSettings()
    domain: str = "{environment}-{project}.localhost"
    network_pool: str = "10.208.0.0/12"
    subnet_prefix: int = Field(26, ge=16, le=29)
    first_uid: int = Field(2_000_000, ge=10_001, le=1_000_000_000)
    """Each project's containers run as a user of their own: this number, and the next ones. Nobody else on the host
    should have them."""
    limits: Limits = Limits()
    shares: Shares = Shares()
    """Of each project that has no other."""
    freeze_seconds: int = Field(60, ge=1, le=300)
    answer_seconds: int = Field(60, ge=1, le=110)
    """How long a new version may take until it answers requests; the step's own limit bounds it."""
    answer: AnswerWanted = "any"
    """What it has to answer on its own hosts."""
    checks: CheckSettings = CheckSettings()
    """What it has to pass besides, and what becomes of a release that is bad."""
    hook_limit_seconds: int = Field(3600, ge=1, le=3600)
    """How long a deploy or post_deploy hook may run; then it is ended."""
    on_deploy_failure: Literal["revert", "keep"] = "revert"
    snapshot_before_deploy: bool = False
    """Copy databases and mounts before the deploy hook, and put them back when the deployment is reverted."""
    snapshot_mounts_mb: int = Field(500, ge=0, le=MOST)
    """Of mounts so much is copied at most; what would be more is left out, and told. 0: none of them."""
    pause_after_minutes: PauseAfter = 0
    """Minutes without a visitor after which an environment is paused; never production, nor a default branch, unless it
    is said of that branch."""
    wake_seconds: int = Field(20, ge=1, le=300)
    """How long the requests that wake an environment are held, before a page says that it takes longer."""
    strategy: Strategy = "standard"
    drain_seconds: int = Field(30, ge=0, le=240)
    """How long what is open on the earlier version may go on after the switch; the step's own limit bounds it."""
    overtaken_builds: Literal["finish", "cancel"] = "finish"
    """What becomes of a push that is not yet in its freeze when a newer one comes to the same branch."""
    runtime_fallback: Literal["refuse", "nearest"] = "refuse"
    service_fallback: Literal["upwards", "refuse"] = "upwards"
    """Of services alone; with `runtime_fallback: nearest` they take the nearest, too."""
    announce_asked_version: bool = False
    """A MariaDB that stands in for another version says that it is the one that was asked for."""
    official_images: bool = False
    """Services in versions that the catalogue does not have run in their official images, from a registry."""
    build: BuildSettings = BuildSettings()
    containers: ContainerSettings = ContainerSettings()
    sizes: dict[str, Size] = Field(default_factory=dict)
    keep_versions: int = Field(5, ge=1, le=MOST)
    """Versions of each environment that a rollback can go back to."""
    min_free_disk_mb: int = Field(1024, ge=0, le=1000 * MOST)
    collect: CollectSettings = CollectSettings()
    output: OutputSettings = OutputSettings()
    mail: MailSettings = MailSettings()
    tokens: tuple[Token, ...] = ()
    projects: dict[ProjectId, ProjectSettings] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_directory_moves_all(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("directory"), str | Path) and values["directory"]:
            folder = Path(values["directory"])
            values = {"state": folder / "state", "run": folder / "run", **values}
        if isinstance(values, dict) and isinstance(values.get("projects"), dict):
            values = {**values, "projects": {
                name: {"id": name, **(project or {})} if project is None or isinstance(project, dict) else project
                for name, project in values["projects"].items()
            }}
        return values

    @field_validator("directory", "state", "run")
    @classmethod
    def _folders_are_absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else valid.folder(value)

    @field_validator("key_file", "catalogue", "docker_socket")
    @classmethod
    def _files_are_absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else valid.absolute(value)

    @field_validator("network_pool")
    @classmethod
    def _pool_is_a_network_of_containers(cls, value: str) -> str:
        pool = ipaddress.IPv4Network(value)
        if pool.is_loopback or pool.is_multicast or pool.is_link_local or pool.is_unspecified or pool.prefixlen < 8:
            raise ValueError(f"{value} is not a range that containers can have addresses of, as 10.208.0.0/12")
        return value

    @field_validator("domain")
    @classmethod
    def _domain_makes_hosts(cls, value: str) -> str:
        return host_template(value)

    @field_validator("listen")
    @classmethod
    def _listen_names_a_port(cls, value: str) -> str:
        return valid.address_and_port(value)

    @field_validator("public_url")
    @classmethod
    def _public_url_is_an_address(cls, value: str) -> str:
        return valid.web_url(value)

    @field_validator("sizes")
    @classmethod
    def _sizes_are_known(cls, value: dict[str, Size]) -> dict[str, Size]:
        for name in value:
            if name not in DEFAULT_SIZES:
                raise ValueError(f"no project can ask for a size {name!r}; there are {', '.join(DEFAULT_SIZES)}")
        return value

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> Settings:
        found = tuple(contradictions(self))
        if found:
            raise Wrong(found)
        return self

    def strategy_of(self, project: ProjectSettings, branch: str) -> Strategy:
        """How an environment is switched: what is said of the branch, else of the project, else of all."""
        own = project.environments[branch].strategy if branch in project.environments else None
        return own or project.strategy or self.strategy

    def takes_nearest(self, project: ProjectSettings) -> bool:
        """Whether another version is taken than the one that a project asks for, when the host does not have it."""
        return (project.runtime_fallback or self.runtime_fallback) == "nearest"

    def service_fallback_of(self, project: ProjectSettings) -> Literal["refuse", "upwards", "nearest"]:
        """Which version of a service may stand in for one that the host does not have."""
        return "nearest" if self.takes_nearest(project) else project.service_fallback or self.service_fallback

    def announces_asked_version(self, project: ProjectSettings) -> bool:
        """Whether a database that stands in for another version says that it is that one."""
        own = project.announce_asked_version
        return self.announce_asked_version if own is None else own

    def shares_of(self, project: str) -> Shares:
        """What a project may take; those of the slots are numbers here."""
        known = self.projects.get(ProjectId(project))
        own = {name: getattr(known.shares, name) for name in known.shares.model_fields_set} if known else {}
        shares = self.shares.model_copy(update=own)
        kept = 1 if len(self.projects) > 1 else 0
        return shares.model_copy(update={
            "builds": shares.builds or max(1, self.limits.builds - kept),
            "deploys": shares.deploys or max(1, self.limits.deploys - kept),
        })

    def answer_of(self, project: ProjectSettings, branch: str) -> AnswerWanted:
        """What a new version of an environment has to answer: as is said of the branch, else the project, else all."""
        own = project.environments[branch].answer if branch in project.environments else None
        return own or project.answer or self.answer

    def pause_after(self, project: ProjectSettings, branch: str) -> timedelta | None:
        """How long nobody has to come until an environment is paused; None: it never is by itself."""
        own = project.environments[branch].pause_after_minutes if branch in project.environments else None
        if own is None and branch not in (project.production, project.default_branch):
            own = self.pause_after_minutes if project.pause_after_minutes is None else project.pause_after_minutes
        return timedelta(minutes=own) if own else None

    def checks_of(self, project: ProjectSettings, branch: str) -> tuple[CheckSettings, ...]:
        """What is said of a branch, of its project and of all, the narrowest first."""
        own = (project.environments[branch].checks,) if branch in project.environments else ()
        return (*own, project.checks, self.checks)

    def relay_of(self, project: ProjectSettings, branch: str) -> MailRelay | None:
        """Whom the mails of a branch's environment are handed to; None: they stay in its box."""
        relay = project.mail or self.mail
        return relay if branch == project.production and relay.relay else None

    @property
    def smtp_port(self) -> int:
        """Where the host takes mails; without rules of ours nobody leads port 25 to another one."""
        return SMTP_PORT if self.containers.firewall == "none" else self.mail.port

    @property
    def listen_address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)

    @property
    def ssh_reached_at(self) -> tuple[str, int] | None:
        """(host, port) of SSH as people reach it; None: nobody listens for it."""
        return self.ssh.reached_at(urlsplit(self.public_url).hostname or "")

    @property
    def api_socket(self) -> Path:
        return self.run / "api.sock"

    @property
    def key_path(self) -> Path:
        """Not in `state`: who copies the database must not have its key with it."""
        return self.key_file or (self.directory / "key" if self.directory else DEFAULT_KEY)

    @property
    def catalogue_path(self) -> Path:
        return self.catalogue or config_folder() / "catalogue.yaml"

    def secrets(self) -> list[Any]:
        """Everything that must not be read in a log: texts, and values that applications get as JSON."""
        found = [token.secret for token in self.tokens]
        for project in self.projects.values():
            if project.remote:
                found += [*project.remote.webhook_secrets, *([project.remote.token] if project.remote.token else [])]
                found += [project.remote.reports.token] if project.remote.reports else []
        relays = [self.mail, *(project.mail for project in self.projects.values() if project.mail)]
        found += [relay.password for relay in relays if relay.password]
        sensitive = [value for project in self.projects.values() for value in project.sensitive().values()]
        return [*(secret.get_secret_value() for secret in found), *sensitive]

    def size(self, name: str) -> Size:
        """Memory and processors of a size of the project files; unknown names get AUTO's."""
        return self.sizes.get(name) or DEFAULT_SIZES.get(name) or self.sizes.get("AUTO") or DEFAULT_SIZES["AUTO"]
