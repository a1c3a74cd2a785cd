"""What a button of an environment's page will do, said before it is done; and the forms that do it.

A form carries the newest activity that its page knew of: when another one came since, it is refused, and who asked for
what is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from deployd.access.actions import Action
from deployd.commands.environments import Overtaken, ProductionStays
from deployd.commands.locks import NotLocked
from deployd.console.asked import Asked
from deployd.errors import Unusable
from deployd.queries.environments import EnvironmentShape, LockShape
from deployd.queries.forecasts import ForecastKind

LONGEST_REASON = 500
HELD_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Button:
    """What can be asked for on the page of an environment, and is confirmed."""

    title: str
    action: Action
    forecast: ForecastKind | None
    """None: no activity is made of it."""


BUTTONS: Mapping[str, Button] = {
    "redeploy": Button("Redeploy", Action.DEPLOY, "redeploy"),
    "push-again": Button("Push again", Action.DEPLOY, "push"),
    "revert": Button("Revert", Action.DEPLOY, "rollback"),
    "unlock": Button("Unlock", Action.LOCK, None),
    "delete": Button("Delete", Action.DELETE, "delete"),
}
"""{`do` of the address: it}"""
OTHERS = ("activate", "deactivate", "pause", "wake")
"""Those of `rests.py`."""


async def confirm(asked: Asked) -> str:
    """`do` says what; `to` names the activity whose version is wanted of `revert`, the push of `push-again`."""
    name = asked.query.get("do", "")
    button = BUTTONS.get(name)
    if button is None:
        raise Unusable(f"do cannot be {name[:20]!r}", hint=f"one of {', '.join((*BUTTONS, *OTHERS))}")
    asked.refuse_unless_may(button.action)
    found = await asked.environment()
    if name == "delete":
        _refuse_production(found)
    if name == "unlock" and found.lock is None:
        raise await not_locked(asked, found)
    return await asked.page(
        "confirm.html", environment=found, do=name, button=button,
        forecast=await asked.queries.forecasts.of(button.forecast, found.project, found.name, asked.number("to"))
        if button.forecast else None,
        held=await _held(asked, found) if name == "unlock" else [],
        running=await asked.queries.activities.find(found.doing) if found.doing else None,
    )


async def redeploy(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.DEPLOY)
    found = await asked.environment()
    made = await asked.commands.environments.redeploy(
        found.project, found.name, asked.caller.name, seen=number_of(fields, "seen"),
    )
    return f"/activities/{made.id}"


async def push_again(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.DEPLOY)
    found = await asked.environment()
    made = await asked.commands.environments.push_again(
        found.project, found.name, number_of(fields, "to"), asked.caller.name, seen=number_of(fields, "seen"),
    )
    return f"/activities/{made.id}"


async def revert(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.DEPLOY)
    found = await asked.environment()
    made = await asked.commands.environments.rollback(
        found.project, found.name, number_of(fields, "to"), asked.caller.name, lock=fields.get("lock") == "1",
        seen=number_of(fields, "seen"),
    )
    return f"/activities/{made.id}"


async def delete(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.DELETE)
    found = await asked.environment()
    _refuse_production(found)
    if fields.get("branch", "").strip() != found.branch:
        raise Unusable(
            "the name that was typed is not that of the branch, and nothing was deleted",
            hint=f"type {found.branch} to delete its environment",
        )
    made = await asked.commands.environments.delete(
        found.project, found.name, asked.caller.name, seen=number_of(fields, "seen"),
    )
    return f"/activities/{made.id}"


async def lock(asked: Asked, fields: Mapping[str, str]) -> str:
    """It is no change of what visitors see, and needs no confirmation."""
    asked.refuse_unless_may(Action.LOCK)
    found = await asked.environment()
    if found.lock is not None:
        raise Overtaken(
            f"{found.lock.who} has locked {found.branch} meanwhile{_why(found.lock)}",
            hint="it keeps these words; unlock it first to lock it with others",
        )
    reason = fields.get("reason", "")[:LONGEST_REASON]
    until = moment_of(fields, "until")
    await asked.commands.locks.lock(found.project, found.name, reason, asked.caller.name, until=until)
    return address_of(found)


async def unlock(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.LOCK)
    found = await asked.environment()
    if found.lock is None:
        raise await not_locked(asked, found)
    if found.lock.since != fields.get("locked", ""):
        raise Overtaken(
            f"{found.lock.who} has locked {found.branch} anew meanwhile{_why(found.lock)}",
            hint="ask once more to take this lock away",
        )
    await asked.commands.locks.unlock(found.project, found.name, asked.caller.name)
    return address_of(found)


async def not_locked(asked: Asked, found: EnvironmentShape) -> NotLocked:
    """With who unlocked it, when that is known still."""
    deeds = await asked.queries.audit.newest([found.project])
    who = next((f": {deed.who} unlocked it at {deed.at[11:19]}" for deed in deeds if deed.action == "unlock"
                and deed.result == "done" and deed.environment in (found.name, found.branch)), "")
    return NotLocked(f"{found.branch} is not locked any more{who}", hint="nothing is to be done")


def address_of(found: EnvironmentShape) -> str:
    """Of its page. Ids of projects and machine names need no quoting."""
    return f"/projects/{found.project}/environments/{found.name}"


def number_of(fields: Mapping[str, str], name: str) -> int:
    """
    Raises:
        Unusable: The form has none.
    """
    text = fields.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Unusable(f"the form does not say {name}", hint="load the page again, and press again")
    return int(text)


def moment_of(fields: Mapping[str, str], name: str) -> datetime | None:
    """Of a field for a date and a time, which says nothing of its time zone: times of these pages are UTC. None: empty.

    Raises:
        Unusable: It is none.
    """
    text = fields.get(name, "").strip()
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable(f"{text[:30]!r} is no moment", hint="2026-12-01T06:00, in UTC") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _why(lock: LockShape) -> str:
    return f": {lock.reason}" if lock.reason else ""


def _refuse_production(found: EnvironmentShape) -> None:
    if found.type == "production":
        raise ProductionStays(
            f"{found.branch} is the production branch of {found.project}, and its environment cannot be deleted",
        )


async def _held(asked: Asked, found: EnvironmentShape) -> list[object]:
    """What goes on when it is unlocked."""
    waiting = await asked.queries.activities.latest([found.project], found.name, "pending", HELD_SHOWN)
    return [item for item in waiting if item.waits]
