"""What the audit log says of those who come in. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from deployd.access.caller import Caller
from deployd.commands.audit import Doing
from deployd.inside.asked import Wanted
from deployd.inside.sql import is_sql
from deployd.inside.targets import Entrance
from deployd.state.stays import Stay

LONGEST_COMMAND = 300


def kind_of(wanted: Wanted) -> str:
    return "sql" if wanted.kind == "command" and is_sql(wanted.command) else wanted.kind


def doing_of(caller: Caller, wanted: Wanted) -> Doing:
    """Before it is known where it leads."""
    return Doing(
        who=caller.name, by=_by(caller.by), address=wanted.address, action=kind_of(wanted),
        names={"project": wanted.project, "environment": wanted.environment}, said=wanted.command[:LONGEST_COMMAND],
    )


def begun(doing: Doing, stay: Stay) -> Doing:
    project, environment = stay.environment
    return replace(doing, names={"project": project, "environment": environment}, said=said_of(stay))


def over(stay: Stay, status: int | None, did: str, now: datetime) -> Doing:
    """
    Args:
        status: None: it was left, or how it ended is not known.
        did: What else is known of it.
    """
    project, environment = stay.environment
    seconds = max(0.0, (now - stay.began).total_seconds())
    how = "was left" if status is None else f"ended with {status}"
    return Doing(
        who=stay.who, by=_by(stay.by), address=stay.address, action=f"{stay.kind} over",
        names={"project": project, "environment": environment},
        said="; ".join(filter(None, (f"{how} after {seconds:.0f} s", did, said_of(stay)))),
    )


def stay_of(number: str, entrance: Entrance, caller: Caller, wanted: Wanted, now: datetime) -> Stay:
    return Stay(
        id=number, environment=entrance.release.environment, part=entrance.part,
        activity=entrance.release.home(entrance.part), kind=kind_of(wanted), who=caller.name, by=caller.by,
        address=wanted.address, connection=wanted.connection, said=wanted.command[:LONGEST_COMMAND], began=now,
    )


def said_of(stay: Stay) -> str:
    command = f": {stay.said}" if stay.said else ""
    return f"{stay.part}, connection {stay.connection}{command}"


def _by(key: str) -> str:
    """As all faces say how somebody came."""
    return f"ssh, key {key}" if key else "ssh"
