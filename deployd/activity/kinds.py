"""What a kind of activity is: its tables of steps, and everything else that is special about it, as one value."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from deployd.activity.journal import Journal
from deployd.activity.log import Tell
from deployd.activity.table import Table
from deployd.state.activities import Activity

View = TypeVar("View")
Host = TypeVar("Host")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an activity is."""

    activity: Activity
    table: Table[Any, Any]
    journal: Journal


Telling = Callable[[Progress, Any, Tell], Awaitable[None]]
"""(progress, host, tell): finds out what people should know, and tells them."""


Afterwards = Callable[[sqlite3.Connection, Progress, datetime], str]
"""(connection, progress, now) -> what is to be said behind the reason of its end. In the transaction in which an
activity ends: what it asks for then is asked for once."""


def nothing_afterwards(db: sqlite3.Connection, progress: Progress, now: datetime) -> str:
    """Its end is its end."""
    return ""


async def nothing_to_tell(progress: Progress, host: object, tell: Tell) -> None:
    """The activity's own end says it all."""


@dataclass(frozen=True, slots=True)
class Reports:
    """What people are told when it does not go well."""

    on_failure: Telling = nothing_to_tell
    """Before an activity ends otherwise than well. A daemon that dies meanwhile comes here again."""
    after_way_back: Telling = nothing_to_tell
    """After that. The activity ends, whatever comes of it."""
    while_stuck: Telling = nothing_to_tell
    """While an undo that is stuck waits for its next try, which comes whatever this does."""


@dataclass(frozen=True)
class Kind(Generic[View, Host]):
    """A kind of activity."""

    name: str
    """`push`: what its rows, people and addresses call it."""
    tables: tuple[Table[View, Host], ...]
    """The newest first; by the others an earlier deployd may have begun something that is still open."""
    view: Callable[[Host, Activity, Journal], View]
    """An activity, as its steps see it."""
    reports: Reports = Reports()
    afterwards: Afterwards = nothing_afterwards
    makes_environment: bool = False
    ends_environment: bool = False
    """Afterwards there is none."""
    needs_environment: bool = False
    """When a delete took the environment away meanwhile, none is made anew for it."""
    ends_runs: bool = False
    """While it goes on, what is live stops: nobody starts it again."""
    has_share: bool = True
    """It counts for what a project may have waiting."""
    has_reserve: bool = False
    """It may wait beyond that share: it changes what visitors see, or makes room."""
    supersedes: bool = False
    """A newer one takes the place of those of its kind that wait in the lane."""
    also_supersedes: tuple[str, ...] = ()
    """And of those of these kinds."""
    asks_gate: bool = False
    """A protected environment takes it with a ticket, and with nothing else."""
    held_when_locked: bool = False
    """The lock of an environment holds it before it begins: there is nothing that could be done before."""

    @property
    def takes_place_of(self) -> tuple[str, ...]:
        """Kinds of which a waiting one gives way to a newer one of this kind."""
        return (self.name, *self.also_supersedes) if self.supersedes else ()

    @property
    def version(self) -> int:
        """Of the table by which new ones are begun."""
        return self.tables[0].version


Kinds = Mapping[str, Kind[Any, Any]]
"""{name: kind}"""


def table_of(kinds: Kinds, activity: Activity) -> Table[Any, Any] | None:
    """The table by which an activity was begun; None when a newer deployd began it."""
    kind = kinds.get(activity.kind)
    tables = kind.tables if kind is not None else ()
    return next((table for table in tables if table.version == activity.table_version), None)
