"""The first page: all environments of a caller's projects, with what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deployd.access.caller import EVERY
from deployd.console.asked import Asked
from deployd.console.render import rendered
from deployd.console.visitors import Visitors, visitors_now
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape
from deployd.queries.projects import ProjectShape
from deployd.router.table import RouterStatus


async def overview(asked: Asked) -> str:
    caller, queries = asked.caller, asked.queries
    projects = [item for item in await queries.projects.all() if caller.may_see(item.id)]
    router = (await queries.figures.now()).router
    groups = grouped(projects, await queries.environments.all(), await queries.activities.newest(), router)
    status = await queries.status.now(with_environments=False, with_names=EVERY in caller.projects)
    return await rendered("overview.html", caller=caller, groups=groups, reasons=status.reasons)


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
