"""How much memory the phases of a deployment need, to be admitted. Pure."""

from __future__ import annotations

from deployd.activity.slots import Need
from deployd.activity.table import Step
from deployd.deployment.view import Deployment
from deployd.settings import Settings

DEPLOYMENT_MB = 256
"""An app and a web container that start. What they grow to later is seen as used memory by whoever comes next; their
limits say little: they are several times what an application uses."""


def memory_needed(settings: Settings, total_mb: int, step: Step, deployment: Deployment) -> Need:
    """What is needed beside a slot when a phase begins with this step.

    Args:
        total_mb: All the memory that there can be; the default limit of a build gives way to it.
    """
    production = deployment.branch == deployment.project.production
    if step.phase == "build":
        if all(app.action != "build" for app in deployment.planned.plan.apps):
            return Need(slot=False)   # every slug is there: a redeploy does not wait for the builds of others
        wanted = settings.build.memory_mb
        chosen = "memory_mb" in settings.build.model_fields_set
        # One application after the other.
        return Need(wanted if chosen else min(wanted, total_mb), "the build", is_production=production)
    if step.phase == "deploy":
        return Need(min(DEPLOYMENT_MB, total_mb), "the deployment", is_production=production)
    return Need(is_production=production)
