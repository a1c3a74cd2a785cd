"""Variables of projects and environments: what people set, what environments inherit, and what the operator wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from deployd.access.errors import NotFound
from deployd.environment.kept_variables import heard, is_handed_on
from deployd.environment.naming import machine_name
from deployd.environment.shown_variables import may_be_secret
from deployd.environment.variables import as_text
from deployd.ids import EnvironmentName
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.projects import find_project
from deployd.release.kept_variables import seen_now
from deployd.release.ports import Host
from deployd.settings import ProjectSettings
from deployd.settings.variables import Variable, canonical_name
from deployd.state import variables
from deployd.state.sealing import Sealer
from deployd.state.store import Store
from deployd.state.variables import OF_PROJECT, VariableRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVariableShape:
    """A variable of a project or an environment, as somebody set it."""

    name: str
    """With its prefix: `env:` is an environment variable, `php:` a setting of PHP, all others are in
    PLATFORM_VARIABLES."""
    level: str
    """`project` or `environment`."""
    origin: str
    """`kept` (it was set here), `inherited` (from the environment `of`), or `settings` (the operator wrote it)."""
    of: str
    """The branch whose it is; empty for the project's."""
    value: str | None
    """JSON text with `is_json`. Null: it is sensitive, and is never shown."""
    is_json: bool
    is_sensitive: bool
    visible_build: bool | None
    """Null: the project's is, and so is an environment's but in the spelling of Magento, or where it is sensitive and
    the environment protected."""
    visible_runtime: bool
    is_inheritable: bool | None
    """Whether children of the environment get it. Null: unless it is sensitive and the environment protected."""
    is_enabled: bool
    applications: tuple[str, ...]
    """Those that get it; empty: all."""
    wins: bool
    """No other one of that name is nearer."""
    who: str
    """Who set it last; empty for the operator's."""
    created_at: str
    updated_at: str


class VariableQueries:
    def __init__(
        self, store: Store, host: Host, environments: EnvironmentQueries, sealer: Sealer, mask: Callable[[str], str],
    ) -> None:
        """
        Args:
            mask: Takes known secrets out of a text: a variable may hold the value of a sensitive one.
        """
        self._store = store
        self._host = host
        self._environments = environments
        self._sealer = sealer
        self._mask = mask

    async def of_project(self, project: str) -> list[KeptVariableShape]:
        """Its own, by name."""
        of = find_project(self._host.settings, project)
        return await self._shapes(of, "", ())

    async def of_environment(self, project: str, environment: str) -> list[KeptVariableShape]:
        """All that an environment gets, by name: of each name the one first that wins.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find_configured(project, environment)
        of = self._host.settings.projects[found.project]
        seen = await self._store.read(lambda db: seen_now(db, of, found.branch))
        return await self._shapes(of, found.branch, seen.parents)

    async def one(self, project: str, environment: str | None, name: str) -> KeptVariableShape:
        """The one that wins of those of a name.

        Raises:
            NotFound: There is none.
        """
        found = await self.of_project(project) if environment is None else await self.of_environment(
            project, environment)
        wanted = canonical_name(name)
        for item in found:
            if canonical_name(item.name) == wanted:
                return item
        where = f"the environment {environment}" if environment is not None else f"the project {project}"
        raise NotFound(f"{where} has no variable {name[:100]}", hint="`deployd variable list` shows what there is")

    async def _shapes(
        self, project: ProjectSettings, branch: str, parents: tuple[str, ...],
    ) -> list[KeptVariableShape]:
        names = [OF_PROJECT, *(machine_name(item) for item in (branch, *parents) if item)]

        def read(db: sqlite3.Connection) -> list[VariableRow]:
            return variables.all_at(db, self._sealer, project.id, variables.revision_of(db, project.id), *names)

        by_place: dict[EnvironmentName, list[VariableRow]] = {}
        for row in await self._store.read(read):
            by_place.setdefault(row.environment, []).append(row)
        nearest_first = [shape for level in _levels(project, branch, parents, by_place) for shape in level]
        return sorted(self._with_winners(nearest_first), key=lambda item: canonical_name(item.name))

    def _with_winners(self, nearest_first: list[KeptVariableShape]) -> Iterator[KeptVariableShape]:
        won: set[str] = set()
        for item in nearest_first:
            name = canonical_name(item.name)
            wins = item.is_enabled and name not in won
            if wins and not item.applications:
                won.add(name)
            yield replace(item, wins=wins, value=None if item.value is None else self._mask(item.value))


def _levels(
    project: ProjectSettings, branch: str, parents: tuple[str, ...],
    rows: Mapping[EnvironmentName, list[VariableRow]],
) -> Iterator[list[KeptVariableShape]]:
    """The nearest level first."""
    if branch:
        yield _of_settings("environment", project.environment_variables(branch), branch)
        yield [shape_of(row, branch) for row in rows.get(machine_name(branch), ())]
    for parent in heard(project, branch, parents):
        of_protected = project.protection_of(parent) is not None
        yield [shape_of(row, parent, origin="inherited") for row in rows.get(machine_name(parent), ())
               if is_handed_on(row.variable, of_protected=of_protected) and row.variable.enabled]
    yield _of_settings("project", project.variables, "")
    yield [shape_of(row, "") for row in rows.get(OF_PROJECT, ())]


def shape_of(row: VariableRow, branch: str, *, origin: str = "kept") -> KeptVariableShape:
    found = row.variable
    return KeptVariableShape(
        name=found.name, level="environment" if branch else "project", origin=origin, of=branch, wins=True,
        value=None if found.sensitive else found.value, is_json=found.is_json, is_sensitive=found.sensitive,
        visible_build=found.visible_build, visible_runtime=found.visible_runtime, is_inheritable=found.inheritable,
        is_enabled=found.enabled, applications=found.applications, who=row.who,
        created_at=row.created_at.isoformat(), updated_at=row.updated_at.isoformat(),
    )


def _of_settings(level: str, found: Mapping[str, Variable], branch: str) -> list[KeptVariableShape]:
    return [
        KeptVariableShape(
            name=name, level=level, origin="settings", of=branch,
            value=None if item.sensitive or may_be_secret(name, as_text(item.value)) else as_text(item.value),
            is_json=not isinstance(item.value, str), is_sensitive=item.sensitive, visible_build=item.visible_build,
            visible_runtime=item.visible_runtime, is_inheritable=not branch, is_enabled=True,
            applications=item.applications, wins=True, who="", created_at="", updated_at="",
        ) for name, item in found.items()
    ]
