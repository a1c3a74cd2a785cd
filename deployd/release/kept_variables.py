"""Which of the variables that people set an environment sees: out of the database, by the rules of
`environment/kept_variables.py`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from deployd.environment.kept_variables import KeptVariable, SeenVariables, levels_seen, parents_of
from deployd.environment.naming import machine_name
from deployd.ids import EnvironmentName
from deployd.settings import ProjectSettings
from deployd.settings.variables import VariableLevel
from deployd.state import environments, variables
from deployd.state.sealing import Sealer


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change that somebody thinks about."""

    environment: EnvironmentName
    """Whose variable; `variables.OF_PROJECT`: the project's."""
    name: str
    after: KeptVariable | None
    """None: it is removed."""


def seen_now(db: sqlite3.Connection, project: ProjectSettings, branch: str) -> SeenVariables:
    """Which variables an environment would be deployed with now."""
    return SeenVariables(
        variables.revision_of(db, project.id), parents_of(project, branch, environments.parents_named(db, project.id)),
    )


def levels_at(
    db: sqlite3.Connection, sealer: Sealer, project: ProjectSettings, branch: str, seen: SeenVariables,
    what_if: WhatIf | None = None,
) -> tuple[VariableLevel, ...]:
    """What an environment sees, the farthest level first."""
    branches = {machine_name(item): item for item in (branch, *seen.parents)}
    of_project: dict[str, KeptVariable] = {}
    of_branches: dict[str, dict[str, KeptVariable]] = {item: {} for item in branches.values()}

    def level(environment: EnvironmentName) -> dict[str, KeptVariable]:
        return of_branches[branches[environment]] if environment in branches else of_project

    for row in variables.all_at(db, sealer, project.id, seen.revision, variables.OF_PROJECT, *branches):
        level(row.environment)[row.variable.name] = row.variable
    if what_if is not None and what_if.environment in (variables.OF_PROJECT, *branches):
        changed = level(what_if.environment)
        changed.pop(what_if.name, None)
        if what_if.after is not None:
            changed[what_if.name] = what_if.after
    return levels_seen(
        project, branch, of_project.values(),
        {item: found.values() for item, found in of_branches.items()}, seen.parents,
    )
