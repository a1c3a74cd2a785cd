"""What people say of an environment: its title, and which one is its parent."""

from __future__ import annotations

import sqlite3

from deployd.environment.naming import Source, environment_type
from deployd.errors import Unusable
from deployd.ids import EnvironmentId, ProjectId
from deployd.queries.environments import EnvironmentQueries, EnvironmentShape
from deployd.settings import Settings
from deployd.state import environments
from deployd.state.environments import Environment
from deployd.state.store import Store

MOST_OF_A_TITLE = 100
"""Characters."""
MOST_GENERATIONS = 50


class DescriptionCommands:
    def __init__(self, store: Store, settings: Settings, known: EnvironmentQueries) -> None:
        self._store = store
        self._settings = settings
        self._known = known

    async def describe(
        self, project: str, environment: str, *, title: str | None = None, parent: str | None = None,
    ) -> EnvironmentShape:
        """Give an environment a title, another parent, or both; None: it stays, empty: there is none any more.

        Args:
            parent: Another environment of the project: its branch or its machine name.

        Raises:
            NotFound: There is no such environment, or no such parent.
            Unusable: It would be among its own parents, or is production, which has none.
        """
        found = await self._known.find_configured(project, environment)
        of = await self._known.find_configured(project, parent) if parent else None
        if of is not None and self._is_production(found):
            raise Unusable(f"{found.branch} is production, and production has no parent")

        def describe(db: sqlite3.Connection) -> None:
            if of is not None:
                _refuse_circle(db, found, of)
            environments.describe(
                db, found.id, None if title is None else one_line(title), of.branch if of is not None else parent,
            )

        await self._store.write(describe)
        return await self._known.shape_of(found.id)

    def _is_production(self, environment: Environment) -> bool:
        return environment_type(self._settings.projects[environment.project], environment.branch) == "production"


def _refuse_circle(db: sqlite3.Connection, environment: Environment, parent: Environment) -> None:
    """
    Raises:
        Unusable: The environment is its parent's parent, or further up.
    """
    above: Environment | None = parent
    for _ in range(MOST_GENERATIONS):
        if above is None:
            return
        if above.id == environment.id:
            break
        above = environments.find(db, _id(environment.project, above.parent)) if above.parent else None
    if above is not None:
        raise Unusable(
            f"{parent.branch} cannot be the parent of {environment.branch}: it is below it already, or it is the same",
            hint=f"give {parent.branch} another parent first",
        )


def _id(project: ProjectId, branch: str) -> EnvironmentId:
    return Source(project, branch).environment


def one_line(text: str) -> str:
    """What somebody wrote, as every terminal and page may show it."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:MOST_OF_A_TITLE]
