"""All that the operator wrote, validated and frozen. The commented sample is config/deployd.yaml.

Decides nothing. Every path of the daemon comes from here, so that one key (`directory`) moves all of them.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from deployd.ids import ProjectId
from deployd.settings.containers import DEFAULT_SIZES, BuildSettings, ContainerSettings, Size
from deployd.settings.frozen import Frozen
from deployd.settings.limits import CollectSettings, Limits, Shares
from deployd.settings.project import ProjectSettings, Strategy
from deployd.settings.router import RouterSettings, TlsSettings
from deployd.settings.secrets import weakness_of
from deployd.settings.shipped import config_folder
from deployd.settings.tokens import Token

LAST_PORT = 65_535
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
    freeze_seconds: int = Field(60, ge=1, le=60)
    answer_seconds: int = Field(60, ge=1)
    """How long a new version may take until it answers requests."""
    hook_limit_seconds: int = Field(3600, ge=1, le=3600)
    """How long a deploy or post_deploy hook may run; then it is ended."""
    on_deploy_failure: Literal["revert", "keep"] = "revert"
    snapshot_before_deploy: bool = False
    """Copy the databases before the deploy hook, and put them back when the deployment is reverted."""
    strategy: Strategy = "standard"
    drain_seconds: int = Field(30, ge=0, le=240)
    """How long what is open on the earlier version may go on after the switch; the step's own limit bounds it."""
    overtaken_builds: Literal["finish", "cancel"] = "finish"
    """What becomes of a push that is not yet in its freeze when a newer one comes to the same branch."""
    runtime_fallback: Literal["refuse", "nearest"] = "refuse"
    build: BuildSettings = BuildSettings()
    containers: ContainerSettings = ContainerSettings()
    sizes: dict[str, Size] = Field(default_factory=dict)
    keep_versions: int = Field(5, ge=1)
    """Versions of each environment that a rollback can go back to."""
    min_free_disk_mb: int = Field(1024, ge=0)
    collect: CollectSettings = CollectSettings()
    tokens: tuple[Token, ...] = ()
    projects: dict[ProjectId, ProjectSettings] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_directory_moves_all(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("directory"):
            folder = Path(values["directory"])
            values = {"state": folder / "state", "run": folder / "run", **values}
        if isinstance(values, dict) and isinstance(values.get("projects"), dict):
            values = {**values, "projects": {
                name: {"id": name, **(project or {})} if project is None or isinstance(project, dict) else project
                for name, project in values["projects"].items()
            }}
        return values

    @field_validator("directory", "state", "run", "key_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError(f"{value} is not an absolute path")
        return value

    @field_validator("network_pool")
    @classmethod
    def _pool_is_a_network(cls, value: str) -> str:
        ipaddress.ip_network(value)
        return value

    @field_validator("domain")
    @classmethod
    def _domain_names_both(cls, value: str) -> str:
        if "{environment}" not in value or "{project}" not in value:
            raise ValueError("must contain {environment} and {project}, e.g. {environment}-{project}.example.com")
        try:
            value.format(environment="main", project="shop")
        except (LookupError, ValueError):
            raise ValueError("only {environment} and {project} can stand in braces") from None
        return value

    @field_validator("listen")
    @classmethod
    def _listen_names_a_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or not 1 <= int(port) <= LAST_PORT or (":" in host and host[0] != "["):
            raise ValueError(f"{value!r} is not an address and a port, as 127.0.0.1:8480 or [::1]:8480")
        return value

    @model_validator(mode="after")
    def _a_snapshot_needs_a_freeze(self) -> Settings:
        for project in self.projects.values():
            branches = [name for name in ("", *project.environments) if self.strategy_of(project, name) == "rolling"]
            own = project.snapshot_before_deploy
            if branches and (self.snapshot_before_deploy if own is None else own):
                raise ValueError(
                    f"project {project.id}: snapshot_before_deploy needs a freeze, and strategy rolling has none;"
                    " choose one of them"
                )
        return self

    @model_validator(mode="after")
    def _secrets_cannot_be_guessed(self) -> Settings:
        weak = [f"{key}: {why}" for key, secret in self._keys() if (why := weakness_of(secret.get_secret_value()))]
        if weak:
            raise ValueError("; ".join(weak) + "; make another with: openssl rand -hex 24")
        return self

    def _keys(self) -> list[tuple[str, SecretStr]]:
        """Everything that opens a door of ours, and where it stands."""
        return [
            *((f"tokens.{number} ({token.name})", token.secret) for number, token in enumerate(self.tokens)),
            *(
                (f"projects.{project.id}.remote.webhook_secrets.{number}", secret)
                for project in self.projects.values() if project.remote
                for number, secret in enumerate(project.remote.webhook_secrets)
            ),
        ]

    def strategy_of(self, project: ProjectSettings, branch: str) -> Strategy:
        """How an environment is switched: what is said of the branch, else of the project, else of all."""
        own = project.environments[branch].strategy if branch in project.environments else None
        return own or project.strategy or self.strategy

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

    @property
    def listen_address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)

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
        sensitive = [value for project in self.projects.values() for value in project.sensitive().values()]
        return [*(secret.get_secret_value() for secret in found), *sensitive]

    def size(self, name: str) -> Size:
        """Memory and processors of a size of the project files; unknown names get AUTO's."""
        return self.sizes.get(name) or DEFAULT_SIZES.get(name) or self.sizes.get("AUTO") or DEFAULT_SIZES["AUTO"]
