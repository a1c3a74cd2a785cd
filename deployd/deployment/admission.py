"""What the steps of a deployment wait for: a slot, and how much memory beside it. Pure."""

from __future__ import annotations

from deployd.activity.admission import BUILDS, DEPLOYMENTS, Admission, Need
from deployd.deployment.deployment import Deployment
from deployd.release.ports import Host

DEPLOYMENT_MB = 256
"""An app and a web container that start. What they grow to later is seen as used memory by whoever comes next; their
limits say little: they are several times what an application uses."""


def need_of_build(deployment: Deployment, host: Host, total_mb: int) -> Need:
    """One application is built after the other.

    Args:
        total_mb: All the memory that there can be; the default limit of a build gives way to it.
    """
    if all(app.action != "build" for app in deployment.planned.plan.apps):
        return Need(slot=False)   # every slug is there: a redeploy does not wait for the builds of others
    settings = host.settings.build
    wanted = settings.memory_mb if "memory_mb" in settings.model_fields_set else min(settings.memory_mb, total_mb)
    return Need(wanted, "the build", is_production=_is_production(deployment))


def need_of_source(deployment: Deployment, host: Host, total_mb: int) -> Need:
    """Of a source operation: it runs in what a build runs in."""
    return Need(min(host.settings.build.memory_mb, total_mb), "the operation", is_production=_is_production(deployment))


def need_of_start(deployment: Deployment, host: Host, total_mb: int) -> Need:
    return Need(min(DEPLOYMENT_MB, total_mb), "the deployment", is_production=_is_production(deployment))


def need_of_rest(deployment: Deployment, host: Host, total_mb: int) -> Need:
    """Nothing but the slot, when it is not held already."""
    return Need(is_production=_is_production(deployment))


def _is_production(deployment: Deployment) -> bool:
    return deployment.branch == deployment.project.production


BUILD = Admission(BUILDS, need_of_build, "the memory of a build")
SOURCE = Admission(BUILDS, need_of_source, "the memory of a build")
PACK = Admission(BUILDS, need_of_rest)
START = Admission(DEPLOYMENTS, need_of_start, "memory to start in")
DEPLOY = Admission(DEPLOYMENTS, need_of_rest)
