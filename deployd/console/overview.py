"""All environments of a caller's projects, side by side with what is known of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deployd.api.shapes import ActivityShape, EnvironmentShape, ProjectShape
from deployd.console.visitors import Visitors, visitors_now
from deployd.router.table import RouterStatus


@dataclass(frozen=True, slots=True)
class Row:
    environment: EnvironmentShape
    visitors: Visitors
    newest: ActivityShape | None
    """Its last activity."""


@dataclass(frozen=True, slots=True)
class Group:
    project: ProjectShape
    rows: tuple[Row, ...]
    """Production first, then by branch."""


def grouped(
    projects: Iterable[ProjectShape], environments: Sequence[EnvironmentShape], newest: Iterable[ActivityShape],
    router: RouterStatus | None,
) -> tuple[Group, ...]:
    """The projects in their order, each with its environments."""
    last = {(item.project, item.environment): item for item in newest}
    return tuple(
        Group(project, tuple(
            Row(item, visitors_now(item, router), last.get((item.project, item.name)))
            for item in sorted(environments, key=_production_first) if item.project == project.id
        ))
        for project in projects
    )


def _production_first(environment: EnvironmentShape) -> tuple[bool, str]:
    return environment.type != "production", environment.branch
