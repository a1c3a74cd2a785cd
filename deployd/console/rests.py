"""Buttons by which an environment goes to rest and comes back, what they will do, and the form of what it is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from deployd.access.actions import Action
from deployd.console.asked import Asked, Form
from deployd.console.confirm import address_of, confirm, number_of
from deployd.errors import Unusable
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape


@dataclass(frozen=True, slots=True)
class Deed:
    """One of the four."""

    title: str
    told: tuple[tuple[str, str], ...]
    """(what it is about, what will become of it), one row each."""


DEEDS: Mapping[str, Deed] = {
    "activate": Deed("Activate", (
        ("Code", "the newest commit of its branch is deployed; its pushes are deployed from then on"),
        ("Data", "databases and files in mounts are those that it had, if it was active before"),
        ("Visitors", "get to it when that is done"),
    )),
    "deactivate": Deed("Deactivate", (
        ("Code", "its containers and its network go; pushes of its branch are stored, and not deployed"),
        ("Data", "stays: databases, files in mounts and passwords"),
        ("Visitors", "get nothing at its addresses any more"),
        ("Back", "by activating it, which deploys its branch"),
    )),
    "pause": Deed("Pause", (
        ("Code", "what runs stops when it has answered what it has; nothing is removed"),
        ("Data", "stays as it is"),
        ("Visitors", "wake it: the first one is held until it answers. Crawlers and monitors do not"),
        ("Crons", "are not run until it is awake"),
    )),
    "wake": Deed("Wake", (
        ("Code", "what was live runs again; nothing is built, and no deploy hook runs"),
        ("Data", "stays as it is"),
        ("Visitors", "are let in when it answers"),
    )),
}
"""{`do` of the address: it}"""


def deeds_of(environment: EnvironmentShape) -> tuple[str, ...]:
    """Which of them can be asked for, as things are."""
    if environment.doing is not None:
        return ()
    if environment.state == "inactive":
        return ("activate",)
    if environment.type == "production":
        return ("wake",) if environment.state == "paused" else ()
    return ("wake" if environment.state == "paused" else "pause", "deactivate")


async def confirm_any(asked: Asked) -> str:
    """What a button of an environment's page will do: one of these, or one that is a deployment."""
    name = asked.query.get("do", "")
    return await (confirm_rest(asked, name) if name in DEEDS else confirm(asked))


async def confirm_rest(asked: Asked, name: str) -> str:
    """The page that says what one of them will do."""
    asked.refuse_unless_may(Action.ACTIVATE)
    found = await asked.environment()
    newest = await asked.queries.activities.latest([found.project], found.name, None, 1)
    return await asked.page(
        "rest.html", environment=found, do=name, deed=DEEDS[name], seen=newest[0].id if newest else 0,
        running=await asked.queries.activities.find(found.doing) if found.doing else None,
    )


def _form(ask: Callable[[Asked], Callable[..., Awaitable[ActivityShape]]]) -> Form:
    async def form(asked: Asked, fields: Mapping[str, str]) -> str:
        asked.refuse_unless_may(Action.ACTIVATE)
        found = await asked.environment()
        made = await ask(asked)(found.project, found.name, asked.caller.name, seen=number_of(fields, "seen"))
        return f"/activities/{made.id}"

    return form


activate = _form(lambda asked: asked.commands.rests.activate)
deactivate = _form(lambda asked: asked.commands.rests.deactivate)
pause = _form(lambda asked: asked.commands.rests.pause)
wake = _form(lambda asked: asked.commands.rests.wake)


async def describe(asked: Asked, fields: Mapping[str, str]) -> str:
    """It is no change of what visitors see, and needs no confirmation."""
    asked.refuse_unless_may(Action.ACTIVATE)
    found = await asked.environment()
    if "title" not in fields:
        raise Unusable("the form does not say title", hint="load the page again, and press again")
    parent = fields.get("parent", "").strip()
    is_another = parent != found.parent
    if is_another:   # whose child it is decides which variables it sees
        asked.refuse_unless_may(await asked.commands.variables.least(found.project, found.name))
    await asked.commands.descriptions.describe(
        found.project, found.name, title=fields["title"], parent=parent if is_another else None,
    )
    return address_of(found)
