"""What of a deployment is deferred until visitors are held: it takes something away that the version before needs.

    a service whose container becomes another one     its new container is there, not started
    files of mounts that get another owner            they are given away then
    an application that needs one of these            its containers are there; what it would connect to goes away

Decided by the step `start_services`, from what there is, and kept in the journal.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.deployment.deployment import Deployment
from deployd.deployment.results import ServicesUp
from deployd.project.model import Application, ProjectConfig


@dataclass(frozen=True, slots=True)
class Deferred:
    """What is replaced, and so is an application that needs it."""

    services: frozenset[str] = frozenset()
    new_owner: bool = False

    @property
    def anything(self) -> bool:
        return bool(self.services) or self.new_owner

    def includes(self, app: Application, config: ProjectConfig) -> bool:
        """Whether an application is started in the freeze: straight or by others, it needs what is replaced."""
        return self.new_owner or bool(_needs(app, config) & self.services)


def deferred_of(deployment: Deployment) -> Deferred:
    """What is deferred; nothing when an earlier deployd began the deployment, which replaced things at once."""
    try:
        up = deployment.journal.result("start_services", ServicesUp)
    except LookupError:
        return Deferred()
    return Deferred(frozenset(up.replaced), up.new_owner)


def _needs(app: Application, config: ProjectConfig) -> set[str]:
    """Names of everything that its web instance has relationships to, straight or by others. There are no circles."""
    found: set[str] = set()
    for relationship in app.web.instance.relationships:
        found.add(relationship.target)
        target = config.application(relationship.target)
        if target is not None and target is not app:
            found |= _needs(target, config)
    return found
