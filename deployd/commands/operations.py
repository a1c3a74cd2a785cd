"""Operations: run a command of an application's file on demand. An activity is made of it, and its lane does it."""

from __future__ import annotations

from typing import ClassVar

from deployd.access.errors import Forbidden, NotFound
from deployd.access.roles import Role
from deployd.commands.activities import read_activity
from deployd.commands.crons import AtRest
from deployd.deployment import kinds
from deployd.deployment.requests import Request, Requests
from deployd.errors import DeployError
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.operations import OperationQueries, OperationShape
from deployd.state.activities import Trigger
from deployd.state.rests import AWAKE, PAUSED
from deployd.state.store import Store


class SeveralHaveIt(DeployError):
    """More than one application has an operation of that name."""

    code: ClassVar[str] = "several-have-it"


class OperationCommands:
    def __init__(
        self, store: Store, known: EnvironmentQueries, operations: OperationQueries, requests: Requests,
    ) -> None:
        self._store = store
        self._known = known
        self._operations = operations
        self._requests = requests

    async def run(
        self, project: str, environment: str, name: str, app: str | None, who: str, role: Role | None,
    ) -> ActivityShape:
        """Run an operation when the lane of its environment comes to it.

        Args:
            app: Whose; None: there is only one that has it.
            role: Of who asks, in the project.

        Raises:
            NotFound: There is no such environment, or no such operation in what is live.
            Forbidden: The operation is for a greater role.
            AtRest: Nothing runs there.
            SeveralHaveIt: An application has to be named.
        """
        found = await self._known.find_configured(project, environment)
        operation = _only(await self._operations.all(project, environment), name, app, found.branch)
        if role is None or not role.includes(Role(operation.role)):
            raise Forbidden(f"the operation {operation.name} of {operation.app} is for {operation.role}s"
                            f" of {found.project}, and {who} is {role.value if role else 'nobody'} there")
        if found.rest != AWAKE:
            raise AtRest(
                f"{found.branch} is {found.rest}, and no operation can run there",
                hint=f"`deployd environment {'wake' if found.rest == PAUSED else 'activate'} {project} {found.branch}`",
            )
        said = f"operation {operation.name} of {operation.app}"
        trigger = Trigger(
            who, "api", app=operation.app, operation=operation.name, role=role.value, said=said,
        )
        number = await self._requests.write(lambda db: self._requests.ask_for(
            db, Request(kinds.OPERATION, found.id, found.branch, None, trigger),
        ))
        return await read_activity(self._store, number)


def _only(found: list[OperationShape], name: str, app: str | None, branch: str) -> OperationShape:
    fitting = [item for item in found if item.name == name and app in (None, item.app)]
    if not fitting:
        of = f" of {app}" if app else ""
        raise NotFound(f"what is live in {branch} has no operation {name[:100]}{of}",
                       hint="; ".join(sorted({f"{item.name} of {item.app}" for item in found})) or "none is there")
    if len(fitting) > 1:
        raise SeveralHaveIt(f"several applications have an operation {name}",
                            hint=f"name one with --app: {', '.join(item.app for item in fitting)}")
    return fitting[0]
