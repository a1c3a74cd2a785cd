"""What a handler of the API is handed: who asks, for what, and all that can be asked and done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from deployd.access.actions import Action, may_in, refuse_unless_may, refuse_unless_sees
from deployd.access.caller import NOBODY, Caller
from deployd.access.concurrency import RequestQueue
from deployd.access.errors import NotFound
from deployd.api.changes import Changes
from deployd.commands.commands import Commands
from deployd.errors import Unusable
from deployd.http.callers import Callers
from deployd.http.event_stream import Events, Streams
from deployd.queries.activities import ActivityShape
from deployd.queries.queries import Queries

DEFAULT_ITEMS, MOST_ITEMS = 50, 1000
DIGITS = 15
"""More than a number of ours ever has."""
LARGE_AT_ONCE, LARGE_AT_ONCE_OF_ONE = 4, 1
"""Large bodies that are read at the same time, of all tokens and of one."""


@dataclass(frozen=True, slots=True)
class Api:
    """What is behind the API: one for both of the daemon's faces."""

    queries: Queries
    commands: Commands
    changes: Changes
    streams: Streams = field(default_factory=Streams)
    bodies: RequestQueue = field(default_factory=lambda: RequestQueue(LARGE_AT_ONCE, LARGE_AT_ONCE_OF_ONE))
    """Which a large body waits for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    request: web.Request
    caller: Caller
    """NOBODY on routes that need no token."""
    api: Api
    callers: Callers
    action: Action | None = None
    """What is asked for; None on routes that need no token."""

    @property
    def queries(self) -> Queries:
        return self.api.queries

    @property
    def commands(self) -> Commands:
        return self.api.commands

    @property
    def who(self) -> str:
        return self.caller.name

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark."""
        return self.request.query

    @property
    def last_event_id(self) -> str:
        """The last event that a reader got who comes back."""
        return self.request.headers.get("Last-Event-ID", "")

    @property
    def is_by_session(self) -> bool:
        """A browser asks, by its cookie."""
        return self.callers.sessions is not None and "Authorization" not in self.request.headers

    def is_known(self) -> bool:
        """Whether whoever asked still is who they were: a session may end while something is followed."""
        return (self.callers.of(self.request, is_use=False) or NOBODY) == self.caller

    async def tell(self, events: Events) -> web.StreamResponse:
        """Server-sent events, as long as whoever asked is known."""
        return await self.api.streams.answer(self.request, self.callers.while_known(self.request, events))

    def number(self, name: str, default: int) -> int:
        """A number of the query."""
        text = self.query.get(name)
        return default if text is None else number_of(text, name)

    def cursor(self) -> tuple[int | None, int]:
        """(only what has a smaller number than this, how many) of a list that is read in pages."""
        before = self.query.get("before")
        limit = min(self.number("limit", DEFAULT_ITEMS), MOST_ITEMS)
        return None if before is None else number_of(before, "before"), limit

    def projects(self) -> Sequence[str] | None:
        """Whose things are listed: of the query's project, else of all where the caller does this; None: of all."""
        wanted = self.query.get("project")
        projects = may_in(self.caller, self.action or Action.SEE)
        if wanted is None:
            return projects
        return [wanted] if projects is None or wanted in projects else []

    def is_set(self, name: str) -> bool:
        return self.query.get(name) == "1"

    def project(self) -> str:
        """Of the path.

        Raises:
            NotFound: The caller may not know of it.
        """
        project = self.request.match_info["project"]
        refuse_unless_sees(self.caller, project)
        return project

    def environment(self) -> tuple[str, str]:
        """(project, environment) of the path; raises as `project` does."""
        return self.project(), self.request.match_info["environment"]

    async def activity(self) -> ActivityShape:
        """The one that the path names.

        Raises:
            NotFound: There is none, or the caller may not know of it.
            Forbidden: The caller's role in its project does not do this.
        """
        number = number_of(self.request.match_info["id"], "the activity's number")
        found = await self.queries.activities.find(number)
        if found is None or not self.caller.may_see(found.project):
            raise NotFound(f"there is no activity {number}")
        if self.action is not None:
            refuse_unless_may(self.caller, self.action, found.project)
        return found


def number_of(text: str, what: str) -> int:
    """
    Raises:
        Unusable: It is no number.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS):
        raise Unusable(f"{what} must be a whole number, not {text[:DIGITS]!r}")
    return int(text)
