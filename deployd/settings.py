"""What the operator wrote, validated and frozen. The commented sample is config/deployd.yaml.

Reads files, decides nothing. Every path of the daemon comes from here, so that one key (`directory`) moves all of them.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from deployd.errors import DeployError
from deployd.ids import ProjectId
from deployd.reach import Opening, parse_opening

PROJECT_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
LAST_PORT = 65_535
SMTP_PORT = 25
"""Where programs look for it in containers."""
DEFAULT_KEY = Path("/etc/deployd/key")
HASHED = re.compile(r"\$[56]\$(?!rounds=)")
"""Two milliseconds a guess. Slower kinds would hold up everybody: nginx's worker waits for the result."""
LEAST_CHARACTERS = 16
"""Of a token and of a webhook's secret: what `openssl rand -hex 8` gives."""
LEAST_DIFFERENT = 6
"""Different characters in it; `xxxxxxxxxxxxxxxx` is a place to be filled."""
PLACEHOLDERS = re.compile(
    r"(change|replace).?(me|this)|placeholder|example|your.?(secret|token)|password|openssl|…", re.IGNORECASE,
)
MAILBOX = re.compile(r"[!-;=?A-~]{1,64}@[A-Za-z0-9.\[\]:-]{1,255}", re.ASCII)
RELAY_PORTS = {"smtp": 587, "smtps": 465}
PACKAGED_CONFIG = Path(__file__).parent / "_config"


def config_folder() -> Path:
    """The folder config/ that came with the program: of the wheel, or of the checkout."""
    return PACKAGED_CONFIG if PACKAGED_CONFIG.is_dir() else Path(__file__).parent.parent / "config"


def weakness_of(secret: str) -> str:
    """Why a secret can be guessed; empty when it cannot."""
    if len(secret) < LEAST_CHARACTERS:
        return f"it has {len(secret)} characters, and {LEAST_CHARACTERS} are the least"
    if len(set(secret)) < LEAST_DIFFERENT:
        return "it repeats itself"
    if PLACEHOLDERS.search(secret):
        return "it is a word that holds the place of a secret"
    return ""


class SettingsInvalid(DeployError):
    """The settings cannot be used; all that is wrong is told at once."""

    code: ClassVar[str] = "settings-invalid"


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """Where a relay is."""

    host: str
    port: int
    tls: bool
    """From the first byte; without it by STARTTLS, where the relay offers it or a password is sent."""
    user: str


def parse_relay(text: str) -> RelayAddress:
    """
    Raises:
        ValueError: It is no address of a relay; the text has no password in it.
    """
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if host is None or url.scheme not in RELAY_PORTS or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("a relay is written as smtp://relay.example.com:587 or smtps://user@relay.example.com")
    if url.password is not None:
        raise ValueError("the relay's password is a key of its own, `password`")
    return RelayAddress(host, port or RELAY_PORTS[url.scheme], url.scheme == "smtps", unquote(url.username or ""))


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Remote(_Frozen):
    """Where the code of a project lives when it is not pushed to deployd itself."""

    url: str
    forge: Literal["github", "gitlab"] | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    """The signing secret; during a change of secrets the old and the new one."""
    token: SecretStr | None = None
    """Password for fetching over HTTPS."""


class Variable(_Frozen):
    """A variable of a project or of one environment (configuration format: levels and prefixes)."""

    value: Any
    sensitive: bool = False
    visible_build: bool | None = None
    """None: a project's variable is visible, and so is an environment's but in the spelling of Magento."""
    visible_runtime: bool = True
    applications: tuple[str, ...] = ()
    """Applications that see it; none named: all."""

    @field_validator("value")
    @classmethod
    def _can_be_written_as_json(cls, value: Any) -> Any:
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise ValueError("YAML reads this as a date or the like, and JSON has none: put it into quotes") from None
        return value


def _plain_values_are_variables(value: Any) -> Any:
    """`NAME: text` is short for `NAME: {value: text}`."""
    if not isinstance(value, dict):
        return value
    return {
        name: item if isinstance(item, dict) and "value" in item else {"value": item} for name, item in value.items()
    }


Variables = Annotated[dict[str, Variable], BeforeValidator(_plain_values_are_variables)]


def _plain_addresses_are_allowed(value: Any) -> Any:
    """`192.0.2.0/24` is short for `{permission: allow, address: 192.0.2.0/24}`."""
    return {"permission": "allow", "address": value} if isinstance(value, str) else value


class AddressPermission(_Frozen):
    permission: Literal["allow", "deny"]
    address: str
    """One address, a network, or `any`."""

    @field_validator("address")
    @classmethod
    def _is_a_network(cls, value: str) -> str:
        if value != "any":
            ipaddress.ip_network(value, strict=False)
        return value

    @property
    def networks(self) -> tuple[str, ...]:
        return ("0.0.0.0/0", "::/0") if self.address == "any" else (self.address,)


class HttpAccess(_Frozen):
    """Who may see an environment; without anything in it everybody may."""

    basic_auth: dict[str, str] = Field(default_factory=dict)
    """{name: hashed password}. Not a SecretStr: a changed hash must show in what routes are made from."""
    addresses: tuple[Annotated[AddressPermission, BeforeValidator(_plain_addresses_are_allowed)], ...] = ()

    @field_validator("basic_auth")
    @classmethod
    def _passwords_are_hashed(cls, value: dict[str, str]) -> dict[str, str]:
        for name, hashed in value.items():
            if not name or ":" in name:
                raise ValueError(f"{name!r} cannot be a name: it is empty or has a colon")
            if not HASHED.match(hashed):
                raise ValueError(f"the password of {name} is not hashed as openssl passwd -6 does it")
        return value


class Shares(_Frozen):
    """What one project may take of what all share, so that no project can take all of it."""

    builds: int | None = Field(None, ge=1)
    """Of `limits.builds` at once; None: all but one, as soon as there is another project."""
    deploys: int | None = Field(None, ge=1)
    """Of `limits.deploys`, as above; one of several is left for production."""
    environments: int = Field(100, ge=1)
    waiting: int = Field(200, ge=1)
    """Activities that wait; further pushes are refused, but a few of production, rollbacks and deletes."""
    build_mb: int = Field(20_000, ge=1)
    """Workspace and cache together, while a build runs."""
    build_files: int = Field(2_000_000, ge=1)
    """Files in them."""
    logs_mb: int = Field(2_000, ge=1)
    """Logs of activities; the oldest go first."""
    repository_mb: int = Field(10_000, ge=1)
    """Of git, for a project whose code is pushed here."""
    streams: int = Field(100, ge=1)
    """Requests that one token has under way at once: logs that it follows, plans; and as many transfers of git."""
    mail_mb: int = Field(50, ge=1)
    """The box of one environment; the oldest mails go first. As much may wait for a relay, and is not taken away."""
    mails_per_minute: int = Field(300, ge=1)
    """Of one environment; more are refused for a while."""


class MailRelay(_Frozen):
    """Whom the mails of production are handed to."""

    relay: str | None = None
    """`smtp://user@host:587`, `smtps://user@host`; None: the mails stay in the box."""
    password: SecretStr | None = None
    """Of the user in `relay`."""
    sender: str | None = None
    """The envelope's sender, for relays that take only theirs; None: as the application says."""

    @field_validator("relay")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_relay(value)
        return value

    @field_validator("sender")
    @classmethod
    def _is_a_mailbox(cls, value: str | None) -> str | None:
        if value is not None and not MAILBOX.fullmatch(value):
            raise ValueError(f"{value!r} is not an address as deploy@example.com")
        return value

    @model_validator(mode="after")
    def _user_and_password_belong_together(self) -> MailRelay:
        if (self.password is not None) != bool(self.relay and parse_relay(self.relay).user):
            raise ValueError("a relay with a password has a user, as smtps://user@relay.example.com, and the reverse")
        return self


class MailSettings(MailRelay):
    """What becomes of the mails that applications send."""

    enabled: bool = True
    """False: containers are told that there is no mail, and nobody listens for it."""
    port: int = Field(8425, ge=1025, le=65535)
    """Of the host, on the addresses of environments' networks; containers see port 25."""
    message_mb: int = Field(25, ge=1, le=1000)
    keep_days: float = Field(14, gt=0)
    """How long a mail stays in its box."""


Strategy = Literal["standard", "rolling"]
"""`standard`: visitors are held while the deploy hook runs. `rolling`: two versions can work side by side."""


class EnvironmentSettings(_Frozen):
    """What an operator says of one branch."""

    variables: Variables = Field(default_factory=dict)
    http_access: HttpAccess | None = None
    """None: as the project says."""
    strategy: Strategy | None = None


class ProjectSettings(_Frozen):
    id: ProjectId
    title: str = ""
    default_branch: str = "main"
    """The branch that is production, unless `production_branch` names another."""
    production_branch: str | None = None
    staging_branch: str | None = "staging"
    remote: Remote | None = None
    domains: tuple[str, ...] = ()
    """Domains of production, the first is `{default}`."""
    variables: Variables = Field(default_factory=dict)
    environments: dict[str, EnvironmentSettings] = Field(default_factory=dict)
    """{branch: what is only said of it}"""
    http_access: HttpAccess = HttpAccess()
    """Of every environment that says nothing itself."""
    dialect: Literal["magento", "platformsh"] | None = None
    tolerant: bool = False
    runtime_fallback: Literal["refuse", "nearest"] | None = None
    on_deploy_failure: Literal["revert", "keep"] | None = None
    snapshot_before_deploy: bool | None = None
    overtaken_builds: Literal["finish", "cancel"] | None = None
    shares: Shares = Shares()
    """Only what is named here is another than for the others."""
    strategy: Strategy | None = None
    mail: MailRelay | None = None
    """None: the relay of all projects."""

    @field_validator("id")
    @classmethod
    def _id_is_a_label(cls, value: str) -> str:
        if not PROJECT_ID.fullmatch(value):
            raise ValueError(f"{value!r} is not a project id: lower-case letters, digits and hyphens, at most 32")
        return value

    def environment_variables(self, branch: str) -> dict[str, Variable]:
        """Variables of one environment; they win over the project's."""
        return self.environments[branch].variables if branch in self.environments else {}

    def access_to(self, branch: str) -> HttpAccess:
        """Who may see the environment of a branch."""
        own = self.environments[branch].http_access if branch in self.environments else None
        return self.http_access if own is None else own

    @property
    def production(self) -> str:
        return self.production_branch or self.default_branch

    def sensitive(self) -> dict[str, Any]:
        """{key in the settings: value} of all variables that must not be read in a log."""
        levels = {"variables": self.variables} | {
            f"environments.{branch}.variables": item.variables for branch, item in self.environments.items()
        }
        return {
            f"{key}.{name}": variable.value
            for key, level in levels.items() for name, variable in level.items() if variable.sensitive
        }


class RouterSettings(_Frozen):
    address: str = "0.0.0.0"
    http_port: int = Field(80, ge=1, le=65535)
    https_port: int | None = Field(443, ge=1, le=65535)
    max_held: int = Field(10_000, ge=1)
    """Requests that one environment may hold in a freeze."""
    workers: int | None = Field(None, ge=1)
    """None: one for each core."""
    cache_mb: int = Field(256, ge=1)
    """Answers of applications that are kept, in the run folder."""
    http3: bool = False
    """Answer HTTP/3 too, over UDP on the port of https."""
    access_log_mb: int = Field(10, ge=0)
    """What the access log of one environment may take; 0: there is none."""
    client_requests_per_second: int | None = Field(None, ge=1)
    client_burst: int = Field(100, ge=1)
    client_connections: int | None = Field(None, ge=1)
    client_exempt: tuple[str, ...] = ()
    project_requests: int = Field(4096, ge=1)
    """Requests of one project that are under way at once; each takes two of a worker's 16,384 connections."""
    project_routes_mb: int = Field(16, ge=1, le=1024)
    """What the routes of one project may take of the router's memory."""
    memory_mb: int = Field(2048, ge=256)
    """Of the router's container, with what it keeps in the run folder."""

    @field_validator("client_exempt")
    @classmethod
    def _exempt_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value


class AcmeSettings(_Frozen):
    """A public authority that is asked by ACME."""

    directory: str = "https://acme-v02.api.letsencrypt.org/directory"
    email: str | None = None
    agree_to_terms: bool = False
    """To what the authority asks of who has an account there."""
    trust: Path | None = None
    """PEM of who signed the directory's own certificate; None: those that everybody trusts."""


class OwnCertificate(_Frozen):
    """A certificate that the operator brings; a file that is replaced is read again."""

    certificate: Path
    """PEM, the host's own first."""
    key: Path


class TlsSettings(_Frozen):
    """Where certificates come from."""

    certificates: Literal["none", "local", "acme"] = "none"
    acme: AcmeSettings = AcmeSettings()
    own: tuple[OwnCertificate, ...] = ()

    @model_validator(mode="after")
    def _terms_are_agreed_to(self) -> TlsSettings:
        if self.certificates == "acme" and not self.acme.agree_to_terms:
            raise ValueError("the authority's terms have to be agreed to: write `acme: {agree_to_terms: true}`")
        return self


class Limits(_Frozen):
    builds: int = Field(2, ge=1)
    deploys: int = Field(4, ge=1)
    environments: int = Field(1000, ge=1)
    """Of all projects together."""
    memory_mb: int | None = Field(None, ge=256)
    """All that may be used on the host, by whatever runs there; None: what it has, less a reserve."""
    tree_files: int = Field(500_000, ge=1, le=500_000)
    """Files and folders of a commit; what an export would write is counted before anything is written."""
    tree_mb: int = Field(4096, ge=1)


class BuildSettings(_Frozen):
    trust_store: Literal["host", "none"] = "host"
    """`host`: the build sees the host's certificates, so that package managers work behind an inspecting proxy."""
    memory_mb: int = Field(2048, ge=128)
    cpus: float = Field(2.0, gt=0)
    limit_seconds: int = Field(3600, ge=1)


def _opening(value: Any) -> Opening:
    if not isinstance(value, str):
        raise ValueError("must be a text, as 10.0.0.5:5432")
    return parse_opening(value)


class ContainerSettings(_Frozen):
    """What containers reach beside the Internet and their own environment."""

    firewall: Literal["nftables", "none"] = "nftables"
    """`nftables`: rules of ours keep them from the host and from private networks. `none`: they reach all that the host
    does; only for a host on which everybody who may push is trusted with it."""
    may_reach: tuple[Annotated[Opening, BeforeValidator(_opening)], ...] = ()
    """Addresses of the host and of private networks that are open to every container, and to what is fetched."""


class CollectSettings(_Frozen):
    """How long what nobody needs any more is kept; 0 days: it goes at the next round."""

    every_minutes: float = Field(60, ge=0)
    """How often housekeeping looks; 0: only when asked to."""
    deleted_days: float = Field(7, ge=0)
    """Data of deleted environments and of removed services; 0: it goes with them."""
    slug_days: float = Field(2, ge=0)
    """Slugs that no environment can go back to; a merge or a new branch often finds one of them."""
    image_days: float = Field(1, ge=0)
    """Images of ours that were replaced by newer ones."""
    cache_days: float = Field(30, ge=0)
    """Caches of builds in projects without a push."""
    cache_mb: int = Field(10_000, ge=0)
    """One that is larger is emptied."""
    log_days: float = Field(90, ge=0)
    """Activities that ended, with their logs."""


class Size(_Frozen):
    memory_mb: int = Field(ge=32)
    cpus: float = Field(gt=0)


class Token(_Frozen):
    """Who may do what over HTTP; the password of git."""

    name: str
    role: Literal["viewer", "contributor", "admin"] = "contributor"
    secret: SecretStr
    projects: tuple[str, ...] = ("*",)

    def may_see(self, project: str) -> bool:
        return "*" in self.projects or project in self.projects


DEFAULT_SIZES = {
    "AUTO": Size(memory_mb=512, cpus=1.0),
    "XS": Size(memory_mb=128, cpus=0.25),
    "S": Size(memory_mb=256, cpus=0.5),
    "M": Size(memory_mb=512, cpus=1.0),
    "L": Size(memory_mb=1024, cpus=2.0),
    "XL": Size(memory_mb=2048, cpus=2.0),
    "2XL": Size(memory_mb=4096, cpus=4.0),
    "4XL": Size(memory_mb=8192, cpus=8.0),
}


class Settings(_Frozen):
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
    mail: MailSettings = MailSettings()
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
        relays = [self.mail, *(project.mail for project in self.projects.values() if project.mail)]
        found += [relay.password for relay in relays if relay.password]
        sensitive = [value for project in self.projects.values() for value in project.sensitive().values()]
        return [*(secret.get_secret_value() for secret in found), *sensitive]

    def size(self, name: str) -> Size:
        """Memory and processors of a size of the project files; unknown names get AUTO's."""
        return self.sizes.get(name) or DEFAULT_SIZES.get(name) or self.sizes.get("AUTO") or DEFAULT_SIZES["AUTO"]


def load_settings(path: Path) -> Settings:
    """Read deployd.yaml and, beside it, projects.d/*.yaml (one project each, named after the file).

    Raises:
        SettingsInvalid: A file is missing, is not YAML, or says something that is not allowed.
    """
    values = _read_yaml(path)
    projects = dict(values.get("projects") or {})
    for file in sorted(path.parent.glob("projects.d/*.yaml")):
        if file.stem in projects:
            raise SettingsInvalid(
                f"the project {file.stem} is defined twice", where=f"{path} and {file}", mend="remove one"
            )
        projects[file.stem] = _read_yaml(file)
    try:
        return Settings.model_validate({**values, "projects": projects})
    except ValidationError as error:
        found = tuple(f"{'.'.join(map(str, item['loc'])) or 'settings'}: {_in_words(item)}" for item in error.errors())
        raise SettingsInvalid(
            "the settings are not valid", where=str(path), evidence=found,
            mend="correct the keys named above; config/deployd.yaml shows every key with its meaning",
        ) from None


def _in_words(item: Mapping[str, object]) -> str:
    """What pydantic found, without the words of its own trade."""
    if item["type"] == "extra_forbidden":
        return "there is no such key"
    if item["type"] == "missing":
        return "this key is needed"
    return str(item["msg"]).removeprefix("Value error, ")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise SettingsInvalid("there is no settings file", where=str(path),
                              mend="copy config/deployd.yaml to that place, or name another with --settings") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise SettingsInvalid(
            f"the settings are not YAML: {error.problem}",
            where=f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path), mend="correct the file",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"the settings are not YAML: {error}", where=str(path), mend="correct the file") from None
    except OSError as error:
        raise SettingsInvalid(f"the settings cannot be read: {error.strerror}", where=str(path)) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsInvalid("the settings must be a mapping of keys to values", where=str(path))
    return values
