"""What an environment is called, from its branch. Pure.

Tools of the hosted platforms recognise the main environment by the beginning of its machine name
(`^master(?:-[a-z0-9]+)?$` and the like: configuration format 9), so the name begins with the branch's.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.settings import ProjectSettings
from deployd.settings.hosts import LONGEST_LABEL

EnvironmentType = Literal["production", "staging", "development"]

LONGEST_NAME = 40    # leaves room in the label for the project and in container names for their parts


def machine_name(branch: str) -> EnvironmentName:
    """`feature/Search!` → `feature-search-` and seven characters of the branch's SHA-256 in base32."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-") or "branch"
    digest = base64.b32encode(hashlib.sha256(branch.encode()).digest()).decode().lower()[:7]
    return EnvironmentName(f"{cleaned[: LONGEST_NAME - 8].rstrip('-')}-{digest}")


def label_of(branch: str) -> str:
    """How a branch is called in user names of SSH: its machine name, without what makes that unique."""
    return machine_name(branch).rpartition("-")[0]


def ssh_user(environment: EnvironmentId, branch: str) -> str:
    """By which `ssh` finds an environment: `main.shop`; of a branch whose name cannot stand there, the machine name."""
    return f"{branch if branch == label_of(branch) else environment.name}.{environment.project}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an environment comes from. Today that is always a branch; what else may be one (a pull request) is added
    here, for nobody else computes which environment it has."""

    project: ProjectId
    branch: str

    @property
    def environment(self) -> EnvironmentId:
        return EnvironmentId(self.project, machine_name(self.branch))


def environment_type(project: ProjectSettings, branch: str) -> EnvironmentType:
    if branch == project.production:
        return "production"
    return "staging" if branch == project.staging_branch else "development"


def shared_domain(template: str) -> str:
    """What the hosts of all environments end with: `{environment}.{project}.example.com` → `example.com`."""
    labels = template.lower().split(".")
    last = max(number for number, label in enumerate(labels) if "{" in label)
    return ".".join(labels[last + 1:])


def development_host(template: str, project: str, environment: str) -> str:
    """Host of an environment from the operator's template; a label over 63 characters is cut and made unique again."""
    host = template.format(project=project, environment=environment).lower()
    return ".".join(map(_cut, host.split(".")))


def _cut(label: str) -> str:
    if len(label) <= LONGEST_LABEL:
        return label
    return f"{label[:LONGEST_LABEL - 8].rstrip('-')}-{hashlib.sha256(label.encode()).hexdigest()[:7]}"
