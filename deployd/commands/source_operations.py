"""Source operations: run a command that changes the code of a branch. An activity is made of it."""

from __future__ import annotations

from typing import ClassVar

from deployd.access.errors import NotFound
from deployd.commands.activities import read_activity
from deployd.deployment import kinds
from deployd.deployment.requests import Request, Requests
from deployd.errors import DeployError
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.source_operations import SourceOperationQueries
from deployd.state.activities import Trigger
from deployd.state.store import Store


class CannotBePushed(DeployError):
    """What the operation would commit could not be pushed."""

    code: ClassVar[str] = "cannot-be-pushed"


class SourceOperationCommands:
    def __init__(
        self, store: Store, known: EnvironmentQueries, operations: SourceOperationQueries, requests: Requests,
    ) -> None:
        self._store = store
        self._known = known
        self._operations = operations
        self._requests = requests

    async def run(self, project: str, environment: str, name: str, who: str) -> ActivityShape:
        """Run a source operation when the lane of its environment comes to it.

        Raises:
            NotFound: There is no such environment, or its branch has no such operation.
            CannotBePushed: It is protected, or its forge takes nothing from here.
        """
        found = await self._known.find_configured(project, environment)
        there = await self._operations.all(project, environment)
        operation = next((item for item in there if item.name == name), None)
        if operation is None:
            raise NotFound(f"{found.branch} has no source operation {name[:100]}",
                           hint=", ".join(item.name for item in there) or "its files name none")
        if operation.refused:
            raise CannotBePushed(operation.refused, hint="run it on another branch, and merge what it makes")
        trigger = Trigger(who, "api", operation=name, said=f"source operation {name}")
        number = await self._requests.write(lambda db: self._requests.ask_for(
            db, Request(kinds.SOURCE_OPERATION, found.id, found.branch, None, trigger),
        ))
        return await read_activity(self._store, number)
