"""Services that cannot be run, and those before applications that are not there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployd.project.findings.findings import Findings
from deployd.project.findings.spelling import listed, nearest, shown
from deployd.project.model.service import Service


def check_services_of_services(
    services: Sequence[Service], names: frozenset[str], complete: bool, findings: Findings
) -> None:
    """`relationships` of a service lead to applications."""
    for service in services:
        for relationship in service.relationships:
            if relationship.target not in names and complete:
                near = nearest(relationship.target, names)
                findings.error(
                    "no-such-service",
                    relationship.place,
                    f"there is no application `{shown(relationship.target)}`",
                    _hint(near, names),
                    length=len(relationship.name),
                )
            elif relationship.target in names and relationship.endpoint != "http":
                findings.error(
                    "no-such-endpoint",
                    relationship.place,
                    f"the application `{relationship.target}` has no endpoint "
                    f"`{shown(relationship.endpoint)}`, only `http`",
                    f'write "{relationship.target}:http"',
                    length=len(relationship.name),
                )


def _hint(near: str | None, names: frozenset[str]) -> str:
    if near:
        return f"did you mean `{near}`?"
    return f"the applications are {listed(sorted(names), 'and')}" if names else "there is no application at all"


def check_runnable(services: Sequence[Service], runnable: frozenset[str], findings: Findings) -> None:
    """Types that the format knows and deployd cannot start: a push with one of them can only fail."""
    for service in services:
        if service.kind not in runnable:
            findings.error(
                "not-supported",
                service.type_place,
                f"deployd cannot run a service of type `{service.kind}` yet",
                f"it can run {listed(sorted(runnable), 'and')}",
                key=f"services.{service.name}.type",
                length=len("type"),
            )
