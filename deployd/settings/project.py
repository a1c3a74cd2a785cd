"""What the operator says of one project: projects.d/NAME.yaml."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, field_validator

from deployd.forges.known import FORGES
from deployd.ids import ProjectId
from deployd.settings import valid
from deployd.settings.access import Access
from deployd.settings.checks import CheckSettings
from deployd.settings.frozen import MOST, MOST_DAYS, Frozen
from deployd.settings.hosts import host_name
from deployd.settings.http_access import HttpAccess
from deployd.settings.limits import Shares
from deployd.settings.mail import MailRelay
from deployd.settings.protection import Protected, Protection
from deployd.settings.valid import PROJECT_ID
from deployd.settings.variables import Variable, VariableLevel, Variables

if TYPE_CHECKING:
    ForgeName = str
else:
    ForgeName = Literal[*FORGES]   # one of the rows; no type checker reads them

AnswerWanted = Literal["any", "success"]
"""What a new version has to answer before the switch: `any`, but for a gateway error; `success`: less than 400."""
Strategy = Literal["standard", "rolling"]
"""`standard`: visitors are held while the deploy hook runs. `rolling`: two versions can work side by side."""


MOST_INSTANCES = 8
"""Of an application: each has an address of its own, and so have those of the version before."""
PauseAfter = Annotated[int, Field(ge=0, le=MOST_DAYS * 24 * 60)]
"""Minutes without a visitor, after which an environment is paused; 0: never."""


class Reports(Frozen):
    """What the forge is told of deployments."""

    token: SecretStr
    """Of its API; it may write commit statuses and deployments, and needs no more."""
    statuses: bool = True
    deployments: bool = True
    api: str | None = None
    """Address of the API; None: that of the remote's host."""

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, value: SecretStr) -> SecretStr:
        valid.secret(value.get_secret_value())
        return value

    @field_validator("api")
    @classmethod
    def _api_is_an_address(cls, value: str | None) -> str | None:
        return valid.web_url(value) if value is not None else None


class Remote(Frozen):
    """Where the code of a project lives when it is not pushed to deployd itself."""

    url: str
    forge: ForgeName | None = None
    webhook_secrets: tuple[SecretStr, ...] = ()
    """The signing secret; during a change of secrets the old and the new one."""
    token: SecretStr | None = None
    """Password for fetching over HTTPS."""
    lfs: bool = True
    """Files of Git LFS are fetched from beside it, when it is read over HTTPS."""
    reports: Reports | None = None
    """None: the forge is told nothing."""

    @field_validator("url")
    @classmethod
    def _url_is_one_of_git(cls, value: str) -> str:
        return valid.remote_url(value)

    @field_validator("webhook_secrets")
    @classmethod
    def _secrets_can_be_sent(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            valid.secret(secret.get_secret_value())
        return value

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            valid.secret(value.get_secret_value())
        return value


class BranchSettings(Frozen):
    """Which branches become environments when they are pushed, by patterns: `*` stands for any letters, slashes too."""

    deploy: tuple[Annotated[str, AfterValidator(valid.branch_pattern)], ...] = ("*",)
    store: tuple[Annotated[str, AfterValidator(valid.branch_pattern)], ...] = ()
    """Of those, they are only stored."""

    def are_deployed(self, branch: str) -> bool:
        return _fits(branch, self.deploy) and not _fits(branch, self.store)


def _fits(branch: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(branch, pattern) for pattern in patterns)


Instances = dict[Annotated[str, AfterValidator(valid.line)], Annotated[int, Field(ge=1, le=MOST_INSTANCES)]]


class EnvironmentSettings(Frozen):
    """What an operator says of one branch."""

    variables: Variables = Field(default_factory=dict)
    http_access: HttpAccess | None = None
    """None: as the project says."""
    strategy: Strategy | None = None
    answer: AnswerWanted | None = None
    protected: Protected = None
    """It takes only what is merged; None: whatever is pushed."""
    pause_after_minutes: PauseAfter | None = None
    access: Access | None = None
    """None: as the project says."""
    checks: CheckSettings = CheckSettings()
    instances: Instances = Field(default_factory=dict)
    """{application: how often it runs here}"""


class ProjectSettings(Frozen):
    id: ProjectId
    title: str = ""
    default_branch: str = "main"
    """The branch that is production, unless `production_branch` names another."""
    production_branch: str | None = None
    staging_branch: str | None = "staging"
    remote: Remote | None = None
    domains: tuple[Annotated[str, AfterValidator(host_name)], ...] = ()
    """Domains of production, the first is `{default}`."""
    branches: BranchSettings = BranchSettings()
    max_active: int | None = Field(None, ge=0, le=MOST)
    """Environments that may be active at once besides production; None: `shares.environments` alone bounds them."""
    pause_after_minutes: PauseAfter | None = None
    """None: as for all."""
    variables: Variables = Field(default_factory=dict)
    environments: dict[str, EnvironmentSettings] = Field(default_factory=dict)
    """{branch: what is only said of it}"""
    http_access: HttpAccess = HttpAccess()
    """Of every environment that says nothing itself."""
    dialect: Literal["magento", "platformsh", "upsun"] | None = None
    tolerant: bool = False
    runtime_fallback: Literal["refuse", "nearest"] | None = None
    service_fallback: Literal["upwards", "refuse"] | None = None
    announce_asked_version: bool | None = None
    on_deploy_failure: Literal["revert", "keep"] | None = None
    snapshot_before_deploy: bool | None = None
    overtaken_builds: Literal["finish", "cancel"] | None = None
    shares: Shares = Shares()
    """Only what is named here is another than for the others."""
    strategy: Strategy | None = None
    answer: AnswerWanted | None = None
    checks: CheckSettings = CheckSettings()
    mail: MailRelay | None = None
    """None: the relay of all projects."""
    access: Access = Access()
    instances: Instances = Field(default_factory=dict)
    """{application: how often it runs in production}; before what the repository says."""
    _kept_variables: tuple[VariableLevel, ...] = PrivateAttr(())
    """What people set without the settings; of one environment, as it was at one time."""

    @field_validator("id")
    @classmethod
    def _id_is_a_label(cls, value: str) -> str:
        if not PROJECT_ID.fullmatch(value):
            raise ValueError(f"{value!r} is not a project id: lower-case letters, digits and hyphens, at most 32")
        return value

    @field_validator("title")
    @classmethod
    def _title_is_a_line(cls, value: str) -> str:
        return valid.line(value)

    @field_validator("default_branch", "production_branch", "staging_branch")
    @classmethod
    def _branches_can_be_branches(cls, value: str | None) -> str | None:
        return None if value is None else valid.branch(value)

    @field_validator("environments")
    @classmethod
    def _environments_are_branches(cls, value: dict[str, EnvironmentSettings]) -> dict[str, EnvironmentSettings]:
        for branch in value:
            valid.branch(branch)
        return value

    @field_validator("domains")
    @classmethod
    def _domains_stand_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((name for number, name in enumerate(value) if name in value[:number]), None)
        if twice is not None:
            raise ValueError(f"{twice} stands twice")
        return value

    def environment_variables(self, branch: str) -> dict[str, Variable]:
        """Variables of one environment; they win over the project's."""
        return self.environments[branch].variables if branch in self.environments else {}

    def with_kept_variables(self, levels: tuple[VariableLevel, ...]) -> ProjectSettings:
        """The same, as one environment of it sees it.

        Args:
            levels: What is kept of variables of the project and of that environment, the farthest first.
        """
        seen = self.model_copy()
        seen._kept_variables = levels
        return seen

    def variable_levels(self, branch: str) -> tuple[VariableLevel, ...]:
        """All variables of project and environment, a later level wins: the project's before the environment's, what it
        inherits before its own, and of each what is kept before what the operator wrote."""
        kept = self._kept_variables
        return (
            *(level for level in kept if level.level == "project"),
            VariableLevel("project", "settings", self.variables),
            *(level for level in kept if level.level == "environment"),
            VariableLevel("environment", "settings", self.environment_variables(branch), branch),
        )

    def access_to(self, branch: str) -> HttpAccess:
        """Who may see the environment of a branch."""
        own = self.environments[branch].http_access if branch in self.environments else None
        return self.http_access if own is None else own

    def protection_of(self, branch: str) -> Protection | None:
        """What stands before the environment of a branch; None: nothing."""
        return self.environments[branch].protected if branch in self.environments else None

    @property
    def protected_branches(self) -> tuple[str, ...]:
        return tuple(branch for branch, item in self.environments.items() if item.protected is not None)

    def source_of(self, branch: str) -> str:
        """The branch from which a protected environment takes commits."""
        protection = self.protection_of(branch)
        return protection.source if protection and protection.source else self.default_branch

    def way_to(self, branch: str, source: str) -> tuple[str, ...]:
        """The protected environments through which a commit of a branch comes to another one, the last one included;
        empty when no way leads there."""
        way: list[str] = []
        at = branch
        while at != source:
            if self.protection_of(at) is None or at in way:
                return ()
            way.insert(0, at)
            at = self.source_of(at)
        return tuple(way)

    def deploys(self, branch: str) -> bool:
        """Whether a branch becomes an environment when it is pushed first; production and protected ones always do."""
        is_named = branch == self.production or self.protection_of(branch) is not None
        return is_named or self.branches.are_deployed(branch)

    def ssh_role(self, branch: str) -> str:
        """The least role that comes into the environment of a branch over SSH."""
        own = self.environments[branch].access if branch in self.environments else None
        return (self.access if own is None else own).ssh

    @property
    def production(self) -> str:
        return self.production_branch or self.default_branch

    def sensitive(self) -> dict[str, Any]:
        """{key in the settings: value} of all variables that must not be read in a log."""
        levels = {"variables": self.variables} | {
            f"environments.{branch}.variables": item.variables for branch, item in self.environments.items()
        } | {
            f"variables of {level.of or 'the project'}": level.variables for level in self._kept_variables
        }
        return {
            f"{key}.{name}": variable.value
            for key, level in levels.items() for name, variable in level.items() if variable.sensitive
        }
