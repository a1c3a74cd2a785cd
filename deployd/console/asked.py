"""What a page is handed: who asks, for what, and all that can be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from deployd.access.caller import Caller
from deployd.access.errors import NotFound
from deployd.queries.environments import EnvironmentShape
from deployd.queries.queries import Queries


@dataclass(frozen=True, slots=True)
class Asked:
    caller: Caller
    queries: Queries
    path: str
    names: Mapping[str, str]
    """Of the path: {`project`, `environment`}, where it has them."""
    query: Mapping[str, str]
    """What stands behind the question mark."""

    async def environment(self) -> EnvironmentShape:
        """The environment of the address (machine name or branch).

        Raises:
            NotFound: There is none for this caller.
        """
        project, name = self.names["project"], self.names["environment"]
        found = await self.queries.environments.all(project) if self.caller.may_see(project) else []
        for item in found:
            if name in (item.name, item.branch):
                return item
        raise NotFound(f"there is no environment {name} of a project {project}",
                       hint="it was deleted, or the address has a typing error, or the token is for other projects")


Page = Callable[[Asked], Awaitable[str]]
"""Makes the HTML of a page."""
