"""The first page: all environments of a caller's projects, with what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from deployd.console.asked import Asked
from deployd.console.live import Part, Parts, Seen
from deployd.console.visitors import Visitors, visitors_now
from deployd.http.event_stream import Events
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape
from deployd.queries.projects import ProjectShape
from deployd.router.table import RouterStatus


async def overview(asked: Asked) -> str:
    """`q` narrows it to rows in which its words stand."""
    seen = await asked.board.now(_key(asked), lambda: _look(asked))
    wanted = asked.query.get("q", "").strip()[:200]
    projects = [item for item in await asked.queries.projects.all() if asked.caller.may_see(item.id)]
    return await asked.page(
        "overview.html", groups=[(project, _rows_of(project, seen, wanted)) for project in projects],
        reasons=Markup(seen.html["reasons"]), wanted=wanted, live=f"/events?from={seen.place}",
    )


async def follow_overview(asked: Asked) -> Events:
    place = asked.from_id or asked.query.get("from", "")
    return asked.board.follow(_key(asked), lambda: _look(asked), place)


def _key(asked: Asked) -> str:
    """The overview is the same for all who see the same projects."""
    return f"overview {' '.join(sorted(asked.caller.projects))}"


async def _look(asked: Asked) -> Parts:
    caller, queries = asked.caller, asked.queries
    projects = [item for item in await queries.projects.all() if caller.may_see(item.id)]
    router = (await queries.figures.now()).router
    groups = grouped(projects, await queries.environments.all(), await queries.activities.newest(), router)
    status = await queries.status.now(with_environments=False, with_names=caller.is_everywhere)
    return {"reasons": Part("reasons", {"reasons": status.reasons})} | {
        row_id(row.environment): Part("environment_row", {
            "row": row, "phase": queries.runs.phase(row.environment.doing) if row.environment.doing else None,
        })
        for group in groups for row in group.rows
    }


def row_id(environment: EnvironmentShape) -> str:
    """Of its element. Ids of projects and machine names have no dots."""
    return f"e.{environment.project}.{environment.name}"


def _rows_of(project: ProjectShape, seen: Seen, wanted: str) -> list[Markup]:
    """Of the environments in which all words stand, as `live.html` made them."""
    return [
        Markup(seen.html[name]) for name, part in seen.parts.items()
        if name.startswith(f"e.{project.id}.") and _fits(part.values["row"], wanted)
    ]


def _fits(row: Row, wanted: str) -> bool:
    """Whether all words stand in what is shown of an environment."""
    of = row.environment
    last = (row.newest.kind, str(row.newest.id), row.newest.state.replace("_", " ")) if row.newest else ()
    shown = (of.project, of.branch, of.type, of.state, of.title, of.subject, of.author, of.url, row.visitors.see, *last)
    text = " ".join(shown).casefold()
    return all(word in text for word in wanted.casefold().split())


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
    projects: Sequence[ProjectShape], environments: Iterable[EnvironmentShape], newest: Iterable[ActivityShape],
    router: RouterStatus | None,
) -> tuple[Group, ...]:
    """The projects in their order, each with its environments."""
    last = {(item.project, item.environment): item for item in newest}
    rows: dict[str, list[Row]] = {project.id: [] for project in projects}
    for item in sorted(environments, key=_production_first):
        if item.project in rows:
            rows[item.project].append(Row(item, visitors_now(item, router), last.get((item.project, item.name))))
    return tuple(Group(project, tuple(rows[project.id])) for project in projects)


def _production_first(environment: EnvironmentShape) -> tuple[bool, str]:
    return environment.type != "production", environment.branch
