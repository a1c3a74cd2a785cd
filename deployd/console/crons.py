"""The crons of an environment: when they run next, their last runs with what these printed, and running one now."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.access.actions import Action, may
from deployd.access.errors import NotFound
from deployd.console.asked import Asked
from deployd.console.confirm import address_of
from deployd.console.live import Part, Parts, follow_parts
from deployd.http.event_stream import Events
from deployd.queries.environments import EnvironmentShape

RUNS = 5
"""Of each cron that stand on the page."""
MOST_CRONS = 100
"""On the page; each costs a look at its log."""


async def crons(asked: Asked) -> str:
    found = await asked.environment()
    return await asked.page(
        "crons.html", environment=found, parts_now=await _look(asked, found), live=f"{asked.path}/events",
    )


async def follow_crons(asked: Asked) -> Events:
    """Runs that begin and end."""
    found = await asked.environment()
    is_over, shown = False, await _look(asked, found)

    async def look() -> Parts:
        nonlocal is_over, shown
        try:
            shown = await _look(asked, await asked.environment())
        except NotFound:
            is_over = True
        return shown

    return follow_parts(look, is_over=lambda: is_over)


async def run_cron(asked: Asked, fields: Mapping[str, str]) -> str:
    asked.refuse_unless_may(Action.RUN_CRON)
    found = await asked.environment()
    await asked.commands.crons.run(
        found.project, found.name, fields.get("app", ""), fields.get("cron", ""), asked.caller.name,
    )
    return f"{address_of(found)}/crons"


async def _look(asked: Asked, found: EnvironmentShape) -> dict[str, Part]:
    queries = asked.queries.crons
    shown = {}
    for number, cron in enumerate((await queries.all(found.project, found.name))[:MOST_CRONS]):
        runs = await queries.runs(found.project, found.name, cron.app, cron.name, RUNS)
        shown[f"cron.{number}"] = Part("environment_cron", {
            "cron": cron, "runs": runs, "address": address_of(found),
            "csrf": asked.csrf, "runs_now": may(asked.caller, Action.RUN_CRON, found.project),
        })
    return shown
