"""The page of an environment: what is live, its visitors, what can be done with it, its last activities."""

from __future__ import annotations

from deployd.access.errors import NotFound
from deployd.console.asked import Asked
from deployd.console.drawing import Drawing, drawing
from deployd.console.live import Part, Parts, follow_parts
from deployd.console.visitors import traffic_of, visitors_now
from deployd.errors import DeployError
from deployd.http.event_stream import Events
from deployd.queries.environments import EnvironmentShape

ACTIVITIES = 10
KINDS = {
    "own": "the operator's own", "acme": "from an authority", "local": "from this host's own authority",
    "default": "the one that the router signed itself",
}
"""{kind of a certificate: what people read}"""


async def environment(asked: Asked) -> str:
    queries, found = asked.queries, await asked.environment()
    certificates = {item.host: item for item in queries.certificates.all() if item.project == found.project}
    return await asked.page(
        "environment.html", environment=found, parts_now=await _look(asked, found),
        certificates=certificates, kinds=KINDS,
        addresses=await queries.environments.addresses(found.project, found.name),
        versions=await queries.versions.all(found.project, found.name),
        live=f"{asked.path}/events",
    )


async def follow_environment(asked: Asked) -> Events:
    """What changes on the page."""
    await asked.environment()   # else there is nothing to follow
    gone, before = False, dict[str, Part]()

    async def look() -> Parts:
        nonlocal gone, before
        try:
            before = await _look(asked, await asked.environment())
        except NotFound:   # it was deleted: the page says so when it comes back
            gone = True
        return before

    return follow_parts(look, is_over=lambda: gone)


async def _look(asked: Asked, found: EnvironmentShape) -> dict[str, Part]:
    queries = asked.queries
    router = (await queries.figures.now()).router
    doing = await queries.activities.find(found.doing) if found.doing is not None else None
    visitors = visitors_now(found, router)
    return {
        "facts": Part("environment_facts", {
            "environment": found, "visitors": visitors, "doing": doing,
            "phase": queries.runs.phase(found.doing) if found.doing is not None else None,
        }),
        "freeze-figures": Part("environment_freeze", {
            "traffic": traffic_of(found, router), "unknown": visitors.see == "unknown",
        }),
        "drawing": await _drawing(asked, found),
        "last-activities": Part("environment_activities", {
            "activities": await queries.activities.latest([found.project], found.name, None, ACTIVITIES),
        }),
    }


async def _drawing(asked: Asked, found: EnvironmentShape) -> Part:
    picture: Drawing | None = None
    wrong = ""
    try:
        parts = await asked.queries.parts.of(found.project, found.name)
        picture = drawing(parts, await asked.queries.usage.now(found.project, found.name))
    except DeployError as error:   # Docker does not answer: the rest of the page is there
        wrong = f"What it is made of cannot be told now: {error.what}"
    return Part("environment_drawing", {"picture": picture, "wrong": wrong})
