"""What runs and nobody uses, and what is reached by nobody. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import shown
from deployd.project.model.application import Application
from deployd.project.model.routes import RouteTemplate
from deployd.project.model.service import Service
from deployd.project.offered.runtimes import runtime_type


def check_unused_services(
    applications: Sequence[Application],
    services: Sequence[Service],
    routes: Sequence[RouteTemplate],
    findings: Findings,
) -> None:
    """A service that nobody relates to runs all the same, and costs memory."""
    used = {route.upstream for route in routes}
    for application in applications:
        for instance in (application.web.instance, *(worker.instance for worker in application.workers)):
            used |= {relationship.target for relationship in instance.relationships}
            used |= {mount.service for mount in instance.mounts}
    for service in services:
        used |= {relationship.target for relationship in service.relationships}
    for service in services:
        if service.name not in used:
            findings.warn(
                "unused-service",
                service.place,
                f"no application uses the service `{service.name}`",
                "it is started all the same: add a relationship, or remove it",
                length=len(service.name),
            )


def check_reachable(applications: Sequence[Application], findings: Findings) -> None:
    """An application without locations and workers does nothing; it is legal, and hardly ever meant."""
    for application in applications:
        if not application.web.locations and not application.workers:
            findings.warn(
                "nothing-served",
                application.place,
                f"nothing of the application `{application.name}` is reachable over HTTP: it has no `web.locations`",
                'add `web: {locations: {"/": {root: …}}}`, or a `workers` block',
                length=len(application.name),
            )
        behind = [location.path for location in application.web.locations if location.passthru is True]
        if behind and starts_nothing(application):
            findings.warn(
                "nothing-served",
                application.web.place,
                f"the location `{shown(behind[0])}` leads to the process of `{application.name}`, and none is started",
                "add `web: {commands: {start: …}}`, or `passthru: false`",
                length=len("web"),
            )


def starts_nothing(application: Application) -> bool:
    """Whether no process of the application's web instance answers anybody."""
    return runtime_type(application.runtime_name).server is None and not application.web.instance.commands.start
