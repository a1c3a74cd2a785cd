"""What everything that deployd makes in an engine is called, and the labels by which it is found again.

Names come from instance, project, environment and activity only, so the second run of a step finds what the first one
made.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass

from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId

INSTANCE, PROJECT, ENVIRONMENT, ACTIVITY = "deployd", "deployd.project", "deployd.environment", "deployd.activity"
ROLE, PART, DIGEST, MADE_BY = "deployd.role", "deployd.part", "deployd.digest", "deployd.made-by"
"""ROLE: `service`, `app`, `web`, `worker`, `build`, `router`. PART: its name in the files. DIGEST: of a service.
MADE_BY: the activity that made the volume of a service, which outlives it."""
OUTBOUND, PUBLIC = "deployd.outbound", "public"
"""OUTBOUND: what a container may connect to, in the words of `firewall/outbound.py`, or PUBLIC. Without it a service
connects to nothing outside, and others to whatever is public."""

ASIDE = ".."
"""In the name of a service's container that is laid ready or put aside; its labels cannot be changed later."""


def is_set_aside(container: str, service: str) -> bool:
    """Whether a container of a service is not the one that is in use."""
    return f"-{service}{ASIDE}" in container and not container.endswith(f"-{service}")


def bridge_prefix(instance: str) -> str:
    """How the host's interfaces of all our networks begin: by it the firewall knows them, also those yet to be made."""
    return f"dp{_short(instance, 4)}"


def bridge_name(instance: str, network: str, subnet: str) -> str:
    """The host's interface of a network; the kernel takes 15 characters.

    The subnet counts: an interface that a crash left behind has its old addresses, and is not taken again.
    """
    return bridge_prefix(instance) + _short(f"{network} {subnet}", 9)


def _short(text: str, length: int) -> str:
    return b32encode(hashlib.sha256(text.encode()).digest()).decode()[:length].lower()


def environment_of(labels: Mapping[str, str]) -> EnvironmentId | None:
    """Whose a thing of an engine is; None: of no environment."""
    project, name = labels.get(PROJECT, ""), labels.get(ENVIRONMENT, "")
    return EnvironmentId(ProjectId(project), EnvironmentName(name)) if project and name else None


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one environment's objects. `instance` keeps several daemons on one Engine apart."""

    instance: str
    environment: EnvironmentId

    @property
    def network(self) -> str:
        return f"{self.instance}-{self.environment.project}-{self.environment.name}"

    def service(self, name: str) -> str:
        """The container of a service; it outlives activities."""
        return f"{self.network}-{name}"

    def next_service(self, name: str, activity: ActivityId) -> str:
        """The container that is to become a service's, until it gets its name."""
        return f"{self.service(name)}{ASIDE}next-{activity}"

    def earlier_service(self, name: str, activity: ActivityId) -> str:
        """The container that was a service's until an activity replaced it."""
        return f"{self.service(name)}{ASIDE}earlier-{activity}"

    def volume(self, name: str) -> str:
        """The volume with a service's data."""
        return f"{self.network}-{name}-data"

    def container(self, activity: ActivityId, role: str, part: str) -> str:
        """A container that belongs to one activity: `app`, `web`, `worker` or `build`."""
        return f"{self.network}-{part}-{role}-{activity}"

    def alias(self, activity: ActivityId, part: str) -> str:
        """Host name of an application's container, one for each version: old and new stand side by side."""
        return f"{part}-{activity}"

    def labels(
        self, role: str = "", part: str = "", activity: ActivityId | str = "", *, made_by: ActivityId | str = "",
    ) -> Mapping[str, str]:
        """What is made with, and found again by: of the whole environment, or of what is asked for in it."""
        return _labels({
            INSTANCE: self.instance, PROJECT: self.environment.project, ENVIRONMENT: self.environment.name, ROLE: role,
            PART: part, ACTIVITY: str(activity), MADE_BY: str(made_by),
        })


def instance_labels(instance: str, *, project: str = "", role: str = "", part: str = "") -> Mapping[str, str]:
    """What of no single environment is made with, and found again by: all of an installation, or what is asked for."""
    return _labels({INSTANCE: instance, PROJECT: project, ROLE: role, PART: part})


def with_digest(labels: Mapping[str, str], digest: str) -> Mapping[str, str]:
    """Labels of a container that is compared, before it is kept, with the one that is wanted."""
    return {**labels, DIGEST: digest}


def _labels(values: Mapping[str, str]) -> Mapping[str, str]:
    """Without those that say nothing. Their order counts: it is a part of digests that live containers carry."""
    return {label: value for label, value in values.items() if value}
