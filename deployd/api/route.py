"""A row of the API's table, and how a handler is put beside it. Who asks for what is in `asked.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass

from aiohttp import web
from pydantic import BaseModel

from deployd.access.actions import LEAST, Action
from deployd.api.asked import Asked

Handler = Callable[[Asked], Awaitable[web.StreamResponse]]

PROJECT = "/api/v1/projects/{project}"
ENVIRONMENT = f"{PROJECT}/environments/{{environment}}"
ACTIVITY = "/api/v1/activities/{id}"
ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One thing that can be asked."""

    method: str
    path: str
    action: Action | None
    """None needs no token."""
    says: str
    shape: type
    """What is answered: `{"items": [shape, …]}` with `many`, and lines of JSON with `stream`."""
    _: KW_ONLY
    many: bool = False
    cursor: bool = False
    """A list that grows: it takes `before` and `limit`, and says with `next` where it goes on."""
    stream: bool = False
    events: bool = False
    """Server-sent events: `shape` is the data of each. With `stream` it is what the caller accepts."""
    text: str = ""
    """Type of what is answered when it is no JSON; `shape` is `str` then."""
    query: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    status: int = 200
    is_secret: bool = False
    """What is answered is told once and kept nowhere: with an `Idempotency-Key` it would be."""
    takes_secret: bool = False
    """What is sent is a secret: with an `Idempotency-Key` a digest of it would be kept."""

    @property
    def query_names(self) -> tuple[str, ...]:
        """All that may stand behind the question mark."""
        return (*self.query, "limit", "before") if self.cursor else self.query

    @property
    def may_be_known(self) -> bool:
        """Whether its answers have an `ETag`."""
        return self.method == "GET" and self.path.startswith("/api/") and not self.stream and not self.events

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and self.action not in (None, Action.PLAN, Action.PLAN_VARIABLES)

    @property
    def role(self) -> str:
        """The least role that may ask; `""` for everybody."""
        return LEAST[self.action].value if self.action is not None else ""


class Resource:
    """The rows of one noun."""

    def __init__(self) -> None:
        self.handlers: dict[ApiRoute, Handler] = {}
        """In the order in which they stand in their file."""

    def row(self, route: ApiRoute) -> Callable[[Handler], Handler]:
        """Decorates what answers it."""
        def put_beside(handler: Handler) -> Handler:
            self.handlers[route] = handler
            return handler

        return put_beside
