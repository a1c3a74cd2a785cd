"""Tickets: what somebody wants to become live in a protected environment, and who approved it.

    building ─► waiting ─► passed ─► done, failed          `next`: a stage is done, and the next one is to begin
        │          │
        └──────────┴─► declined, withdrawn, expired, superseded, void

A ticket ends in the transaction in which its activity does (a trigger of the database sees to it), so there is none
that is open and has nothing that could ever become live.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, NewType

from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.promotion.gate import Approval, Obstacle
from deployd.promotion.people import Person

TicketId = NewType("TicketId", int)
TicketState = Literal[
    "building", "waiting", "passed", "next", "done", "failed", "declined", "withdrawn", "expired", "superseded", "void",
]
OPEN: tuple[TicketState, ...] = ("building", "waiting", "passed", "next")


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the environments that a ticket leads through."""

    branch: str
    environment: str
    activity: int | None = None
    """None: its turn has not come."""


@dataclass(frozen=True, slots=True)
class Ticket:
    id: TicketId
    environment: EnvironmentId
    """Of the stage that is under way."""
    branch: str
    source: str
    commit: CommitId
    stages: tuple[Stage, ...]
    stage: int
    activity: ActivityId
    state: TicketState
    asked_by: Person
    comment: str
    asked_at: datetime
    expires_at: datetime
    not_before: datetime | None
    digest: str
    """What is offered for approval; empty before it is built."""
    brief: str
    """JSON of it, for people."""
    obstacles: tuple[Obstacle, ...]
    """What stood in the way when it was looked last."""
    emergency_by: str
    emergency_why: str
    ended_at: datetime | None
    ended_by: str
    ended_why: str

    @property
    def project(self) -> ProjectId:
        return self.environment.project

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def said(self) -> str:
        """What it waits for, in one line."""
        return "; ".join(obstacle.what for obstacle in self.obstacles)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A ticket that has no number yet."""

    project: ProjectId
    source: str
    commit: CommitId
    stages: tuple[Stage, ...]
    activity: ActivityId
    asked_by: Person
    comment: str = ""
    expires_at: datetime
    not_before: datetime | None = None
    emergency_by: str = ""
    emergency_why: str = ""


def add(connection: sqlite3.Connection, new: NewTicket, now: datetime) -> TicketId:
    first = new.stages[0]
    stages = (Stage(first.branch, first.environment, new.activity), *new.stages[1:])
    cursor = connection.execute(
        "INSERT INTO tickets (project, environment, branch, source, commit_id, stages, activity, state, asked, comment,"
        " asked_at, expires_at, not_before, emergency_by, emergency_why)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'building', ?, ?, ?, ?, ?, ?, ?)",
        (new.project, first.environment, first.branch, new.source, new.commit, _stages_as_json(stages), new.activity,
         json.dumps(asdict(new.asked_by)), new.comment, now.isoformat(), new.expires_at.isoformat(),
         _iso(new.not_before), new.emergency_by, new.emergency_why),
    )
    return TicketId(cursor.lastrowid or 0)


def begin_next_stage(connection: sqlite3.Connection, ticket: Ticket, activity: ActivityId) -> bool:
    """next → building, in the environment of its next stage. False: it is not there any more."""
    number = ticket.stage + 1
    stages = tuple(
        Stage(stage.branch, stage.environment, activity) if place == number else stage
        for place, stage in enumerate(ticket.stages)
    )
    return connection.execute(
        "UPDATE tickets SET state = 'building', stage = ?, stages = ?, activity = ?, environment = ?, branch = ?,"
        " digest = '', brief = '', obstacles = '[]', news = 0"
        " WHERE id = ? AND state = 'next' AND stage = ? AND ended_at IS NULL",
        (number, _stages_as_json(stages), activity, stages[number].environment, stages[number].branch, ticket.id,
         ticket.stage),
    ).rowcount == 1


def judged(
    connection: sqlite3.Connection, ticket: Ticket, brief: str, obstacles: Sequence[Obstacle],
) -> None:
    """Write down what is offered, and what stands in its way; nothing: it has passed.

    Args:
        ticket: With the commit and the digest of what is offered.
    """
    connection.execute(
        "UPDATE tickets SET state = ?, commit_id = ?, digest = ?, brief = ?, obstacles = ?, news = 0"
        " WHERE id = ? AND ended_at IS NULL",
        ("waiting" if obstacles else "passed", ticket.commit, ticket.digest, brief, _obstacles_as_json(obstacles),
         ticket.id),
    )


def put_obstacles(connection: sqlite3.Connection, ticket: TicketId, obstacles: Sequence[Obstacle]) -> bool:
    """What stands in the way now, while it waits. False: that is known."""
    text = _obstacles_as_json(obstacles)
    return connection.execute(
        "UPDATE tickets SET obstacles = ? WHERE id = ? AND state = 'waiting' AND obstacles <> ?", (text, ticket, text),
    ).rowcount == 1


def has_news(connection: sqlite3.Connection, activity: ActivityId) -> bool | None:
    """Whether somebody did something to the ticket of an activity since the gate was asked; None: it has no ticket."""
    row = connection.execute(
        "SELECT news FROM tickets WHERE activity = ? AND ended_at IS NULL", (activity,),
    ).fetchone()
    return bool(row["news"]) if row else None


def tell_news(connection: sqlite3.Connection, ticket: TicketId) -> None:
    """The gate is to be asked once more."""
    connection.execute("UPDATE tickets SET news = 1 WHERE id = ? AND ended_at IS NULL", (ticket,))


def schedule(connection: sqlite3.Connection, ticket: TicketId, at: datetime | None) -> None:
    connection.execute("UPDATE tickets SET not_before = ?, news = 1 WHERE id = ?", (_iso(at), ticket))


def open_for_emergency(connection: sqlite3.Connection, ticket: TicketId, who: str, why: str) -> None:
    connection.execute(
        "UPDATE tickets SET emergency_by = ?, emergency_why = ?, news = 1 WHERE id = ?", (who, why, ticket),
    )


def end_emergency(connection: sqlite3.Connection, ticket: TicketId) -> None:
    """It was opened for another commit than it offers now."""
    connection.execute("UPDATE tickets SET emergency_by = '', emergency_why = '' WHERE id = ?", (ticket,))


def end(
    connection: sqlite3.Connection, ticket: TicketId, state: TicketState, who: str, why: str, now: datetime,
) -> bool:
    """False: it has ended already."""
    return connection.execute(
        "UPDATE tickets SET state = ?, ended_by = ?, ended_why = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL",
        (state, who, why, now.isoformat(), ticket),
    ).rowcount == 1


def approve(
    connection: sqlite3.Connection, ticket: TicketId, digest: str, person: Person, comment: str, now: datetime,
) -> bool:
    """False: they have approved this already."""
    done = connection.execute(
        "INSERT INTO approvals (ticket, digest, who, person, at, comment) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (ticket, digest, person.name, json.dumps(asdict(person)), now.isoformat(), comment),
    ).rowcount == 1
    tell_news(connection, ticket)
    return done


def approvals_of(connection: sqlite3.Connection, ticket: TicketId) -> tuple[tuple[Approval, str], ...]:
    """(approval, comment), oldest first."""
    rows = connection.execute("SELECT * FROM approvals WHERE ticket = ? ORDER BY at, who", (ticket,))
    return tuple(
        (Approval(_person(row["person"]), row["digest"], datetime.fromisoformat(row["at"])), row["comment"])
        for row in rows
    )


def forget_approvals(connection: sqlite3.Connection, person: str, may_still: Callable[[str], bool]) -> None:
    """Of somebody who may not approve any more: what has not passed its gate needs those of others.

    Args:
        may_still: Approve, in a project.
    """
    for ticket in open_ones(connection):
        if ticket.state in ("building", "waiting") and not may_still(ticket.project):
            connection.execute(
                "DELETE FROM approvals WHERE ticket = ? AND json_extract(person, '$.id') = ?", (ticket.id, person),
            )


def find(connection: sqlite3.Connection, ticket: TicketId) -> Ticket | None:
    row = connection.execute("SELECT * FROM tickets WHERE id = ?", (ticket,)).fetchone()
    return _ticket(row) if row else None


def of_activity(connection: sqlite3.Connection, activity: ActivityId) -> Ticket | None:
    """The one whose stage an activity is, or was."""
    row = connection.execute(
        "SELECT * FROM tickets WHERE activity = ? OR id IN (SELECT tickets.id FROM tickets, json_each(stages)"
        " WHERE json_extract(json_each.value, '$.activity') = ? AND json_array_length(stages) > 1) LIMIT 1",
        (activity, activity),
    ).fetchone()
    return _ticket(row) if row else None


def open_ones(connection: sqlite3.Connection) -> list[Ticket]:
    """Oldest first."""
    return [_ticket(row) for row in connection.execute("SELECT * FROM tickets WHERE ended_at IS NULL ORDER BY id")]


def open_in(connection: sqlite3.Connection, environment: EnvironmentId) -> Ticket | None:
    """The newest that is open in an environment."""
    row = connection.execute(
        "SELECT * FROM tickets WHERE project = ? AND environment = ? AND ended_at IS NULL ORDER BY id DESC LIMIT 1",
        environment,
    ).fetchone()
    return _ticket(row) if row else None


def latest(
    connection: sqlite3.Connection, *, projects: Sequence[str] | None = None, is_open: bool | None = None,
    name_or_branch: str | None = None, before: int | None = None, limit: int = 50,
) -> list[Ticket]:
    """Newest first. `projects` None: of all."""
    where: list[str] = ["id < ?"]
    values: list[str | int] = [before if before is not None else 2**62]
    if projects is not None:
        where.append(f"project IN ({', '.join('?' * len(projects))})")
        values += projects
    if is_open is not None:
        where.append("ended_at IS NULL" if is_open else "ended_at IS NOT NULL")
    if name_or_branch is not None:
        where.append("? IN (environment, branch)")
        values.append(name_or_branch)
    rows = connection.execute(
        f"SELECT * FROM tickets WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*values, limit),
    )
    return [_ticket(row) for row in rows]


def _ticket(row: sqlite3.Row) -> Ticket:
    return Ticket(
        id=TicketId(row["id"]),
        environment=EnvironmentId(ProjectId(row["project"]), EnvironmentName(row["environment"])),
        branch=row["branch"], source=row["source"], commit=CommitId(row["commit_id"]),
        stages=tuple(Stage(**stage) for stage in json.loads(row["stages"])), stage=row["stage"],
        activity=ActivityId(row["activity"]), state=row["state"], asked_by=_person(row["asked"]),
        comment=row["comment"], asked_at=datetime.fromisoformat(row["asked_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]), not_before=_date(row["not_before"]),
        digest=row["digest"], brief=row["brief"],
        obstacles=tuple(
            Obstacle(item["code"], item["what"], item["hint"], _date(item["until"]))
            for item in json.loads(row["obstacles"])
        ),
        emergency_by=row["emergency_by"], emergency_why=row["emergency_why"], ended_at=_date(row["ended_at"]),
        ended_by=row["ended_by"], ended_why=row["ended_why"],
    )


def _person(text: str) -> Person:
    values = json.loads(text)
    return Person(values["name"], values["id"], tuple(values["also"]))


def _stages_as_json(stages: Sequence[Stage]) -> str:
    return json.dumps([asdict(stage) for stage in stages])


def _obstacles_as_json(obstacles: Sequence[Obstacle]) -> str:
    return json.dumps([{**asdict(item), "until": _iso(item.until)} for item in obstacles])


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
