"""What a page is handed: who asks, for what, and all that can be asked and done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployd.access.actions import Action, refuse_unless_may
from deployd.access.caller import Caller
from deployd.access.cookies import csrf_word
from deployd.access.errors import NotFound
from deployd.commands.commands import Commands
from deployd.console.live import Board
from deployd.console.render import rendered
from deployd.errors import Unusable
from deployd.http.event_stream import Events
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape
from deployd.queries.queries import Queries


@dataclass(frozen=True, slots=True)
class Asked:
    caller: Caller
    queries: Queries
    commands: Commands
    board: Board
    path: str
    names: Mapping[str, str]
    """Of the path: {`project`, `environment`, `id`}, where it has them."""
    query: Mapping[str, str]
    """What stands behind the question mark."""
    cookie: str = ""
    """Of the browser that signed in; empty for programs, which see no forms."""
    from_id: str = ""
    """The last event that a browser got of a page that it follows."""
    noted: list[str] = field(default_factory=list)
    """What a form adds to the audit log's entry of it."""

    @property
    def csrf(self) -> str:
        return csrf_word(self.cookie) if self.cookie else ""

    async def page(self, template: str, /, **values: Any) -> str:
        return await rendered(template, caller=self.caller, csrf=self.csrf, path=self.path, query=self.query, **values)

    def refuse_unless_may(self, action: Action) -> None:
        """
        Raises:
            NotFound, Forbidden: The caller does not do this in the project of the address, or on the host.
        """
        refuse_unless_may(self.caller, action, self.names.get("project"))

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
                       hint=await self._why_gone(project, name))

    async def _why_gone(self, project: str, name: str) -> str:
        """Who deleted an environment, as long as that is known."""
        last = await self.queries.activities.latest([project], name, None, 2) if self.caller.may_see(project) else []
        end = next((item for item in last if item.kind == "delete"), None)   # a purge may have come after it
        if end is not None:
            return f"{end.who} deleted it at {end.created_at[:16].replace('T', ' ')}: activity {end.id}"
        return "it was deleted, or the address has a typing error, or the token is for other projects"

    async def activity(self, action: Action = Action.SEE) -> ActivityShape:
        """The activity of the address.

        Raises:
            NotFound: There is none for this caller.
            Forbidden: The caller does not do this in its project.
        """
        found = await self.queries.activities.find(int(self.names["id"]))
        if found is None or not self.caller.may_see(found.project):
            raise NotFound(f"there is no activity {self.names['id']}",
                           hint="it is too old to be kept, or the token is for other projects")
        refuse_unless_may(self.caller, action, found.project)
        return found

    def number(self, name: str) -> int | None:
        """A number behind the question mark.

        Raises:
            Unusable: It is none.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise Unusable(f"{name} cannot be {text[:20]!r}", hint="a number")
        return int(text)


Page = Callable[[Asked], Awaitable[str]]
"""Makes the HTML of a page."""
Follow = Callable[[Asked], Awaitable[Events]]
"""Tells a page what changes."""


@dataclass(frozen=True, slots=True)
class Told:
    """The HTML of a page that a form answers with, because no address may show what is on it."""

    page: str


Form = Callable[[Asked, Mapping[str, str]], Awaitable[str | Told]]
"""Does what the fields of a form say, and gives the path of the page that is shown then."""
