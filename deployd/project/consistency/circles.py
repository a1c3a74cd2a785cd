"""Circles of relationships: those in one would wait for each other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deployd.project.findings.findings import Findings
from deployd.project.model.application import Application
from deployd.project.model.container import Relationship
from deployd.project.model.service import Service


def check_circles(applications: Sequence[Application], services: Sequence[Service], findings: Findings) -> None:
    """Applications that wait for each other cannot be started; with a service between them, one side is left out."""
    edges: dict[str, list[Relationship]] = {}
    for application in applications:
        instances = (application.web.instance, *(worker.instance for worker in application.workers))
        edges[application.name] = [relationship for instance in instances for relationship in instance.relationships]
    for service in services:
        edges[service.name] = list(service.relationships)
    names = frozenset(service.name for service in services)
    done: set[str] = set()
    for start in edges:
        _walk(start, edges, [], done, names, findings)


def _walk(
    name: str,
    edges: Mapping[str, list[Relationship]],
    trail: list[str],
    done: set[str],
    services: frozenset[str],
    findings: Findings,
) -> None:
    if name in done:
        return
    trail = [*trail, name]
    for relationship in edges.get(name, []):
        if relationship.target in trail:
            circle = [*trail[trail.index(relationship.target) :], relationship.target]
            _tell_circle(circle, relationship, services, findings)
        elif relationship.target not in done:
            _walk(relationship.target, edges, trail, done, services, findings)
    done.add(name)


def _tell_circle(circle: list[str], last: Relationship, services: frozenset[str], findings: Findings) -> None:
    length = len(last.name)
    between = next((name for name in circle if name in services), None)
    if between is None:
        findings.error(
            "circle",
            last.place,
            f"these wait for each other and can never start: {' → '.join(circle)}",
            "remove one of the relationships",
            length=length,
        )
    else:
        findings.warn(
            "circle",
            last.place,
            f"a circle of relationships: {' → '.join(circle)}; `{between}` is started first, without waiting",
            "remove one of the relationships, if that matters",
            length=length,
        )
