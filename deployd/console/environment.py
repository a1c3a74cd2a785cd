"""The page of an environment: what is live, its visitors, what can be done with it, its last activities."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from deployd.access.actions import Action, may
from deployd.access.errors import NotFound
from deployd.console.asked import Asked
from deployd.console.charts import Freeze, chart
from deployd.console.confirm import address_of
from deployd.console.crons import MOST_CRONS
from deployd.console.drawing import Drawing, drawing
from deployd.console.live import Part, Parts, follow_parts
from deployd.console.rests import DEEDS, deeds_of
from deployd.console.visitors import traffic_of, visitors_now
from deployd.errors import DeployError, Unusable
from deployd.http.event_stream import Events
from deployd.queries.crons import CronShape
from deployd.queries.environments import EnvironmentShape
from deployd.queries.parts import without_settings
from deployd.upkeep.traffic_history import SPANS

ACTIVITIES = 10
DRAWN_SECONDS, TRAFFIC_SECONDS = 3.0, 15.0
"""How often memory and figures of visitors are drawn anew."""
KINDS = {
    "own": "the operator's own", "acme": "from an authority", "local": "from this host's own authority",
    "default": "the one that the router signed itself",
}
"""{kind of a certificate: what people read}"""


async def environment(asked: Asked) -> str:
    """`span` says of which time figures of visitors are shown: `hour` or `day`."""
    queries, found = asked.queries, await asked.environment()
    certificates = {item.host: item for item in queries.certificates.all() if item.project == found.project}
    span = span_of(asked)
    made_of = None
    with suppress(DeployError):   # the drawing says what is wrong
        made_of = await queries.parts.of(found.project, found.name)
        if not may(asked.caller, Action.READ_VARIABLES, found.project):
            made_of = without_settings(made_of)
    points, _ = await queries.traffic.history(found.project, found.name, span)
    return await asked.page(
        "environment.html", environment=found, parts_now=await Look(asked, span).parts(),
        certificates=certificates, kinds=KINDS, spans=SPANS, span=span, points=points,
        applications=made_of.applications if made_of else (),
        addresses=await queries.environments.addresses(found.project, found.name),
        versions=await queries.versions.all(found.project, found.name),
        live=f"{asked.path}/events?span={span}", deeds=deeds_of(found), titles=DEEDS,
    )


async def follow_environment(asked: Asked) -> Events:
    """What changes on the page."""
    await asked.environment()   # else there is nothing to follow
    look = Look(asked, span_of(asked))
    return follow_parts(look.parts, is_over=lambda: look.is_over)


def span_of(asked: Asked) -> str:
    """
    Raises:
        Unusable: There is no such span.
    """
    span = asked.query.get("span", "hour")
    if span not in SPANS:
        raise Unusable(f"span cannot be {span[:20]!r}", hint=f"one of {', '.join(SPANS)}")
    return span


class Look:
    """What is on a page of an environment now. Some of it is looked at less often: it changes all the time."""

    def __init__(self, asked: Asked, span: str) -> None:
        self._asked = asked
        self._span = span
        self._kept: dict[str, tuple[float, Part]] = {}
        self._shown: Parts = {}
        self.is_over = False
        """There is no such environment any more."""

    async def parts(self) -> Parts:
        try:
            found = await self._asked.environment()
        except NotFound:
            if not self._shown:
                raise
            self.is_over = True
            return self._shown
        self._shown = await self._look(found)
        return self._shown

    async def _look(self, found: EnvironmentShape) -> Parts:
        queries = self._asked.queries
        router = (await queries.figures.now()).router
        doing = await queries.activities.find(found.doing) if found.doing is not None else None
        visitors = visitors_now(found, router)
        return {
            "facts": Part("environment_facts", {
                "environment": found, "visitors": visitors, "doing": doing,
                "phase": queries.runs.phase(found.doing) if found.doing is not None else None,
            }),
            "drawing": await self._seldom("drawing", DRAWN_SECONDS, self._drawing, found),
            "traffic": await self._seldom("traffic", TRAFFIC_SECONDS, self._traffic, found),
            "crons-now": await self._seldom("crons", DRAWN_SECONDS, self._crons, found),
            "freeze-figures": Part("environment_freeze", {
                "traffic": traffic_of(found, router), "unknown": visitors.see == "unknown",
            }),
            "last-activities": Part("environment_activities", {
                "activities": await queries.activities.latest([found.project], found.name, None, ACTIVITIES),
            }),
        }

    async def _seldom(
        self, name: str, seconds: float, make: Callable[[EnvironmentShape], Awaitable[Part]], found: EnvironmentShape,
    ) -> Part:
        at, part = self._kept.get(name, (float("-inf"), None))
        if part is None or time.monotonic() - at >= seconds:
            part = await make(found)
            self._kept[name] = time.monotonic(), part
        return part

    async def _drawing(self, found: EnvironmentShape) -> Part:
        picture: Drawing | None = None
        wrong = ""
        try:
            parts = await self._asked.queries.parts.of(found.project, found.name)
            picture = drawing(parts, await self._asked.queries.usage.now(found.project, found.name))
        except DeployError as error:   # Docker does not answer: the rest of the page is there
            wrong = f"What it is made of cannot be told now: {error.what}"
        return Part("environment_drawing", {"picture": picture, "wrong": wrong})

    async def _crons(self, found: EnvironmentShape) -> Part:
        crons: list[CronShape] = []
        with suppress(DeployError):   # the drawing says what is wrong
            crons = await self._asked.queries.crons.all(found.project, found.name)
        return Part("environment_crons", {"crons": crons[:MOST_CRONS], "address": address_of(found)})

    async def _traffic(self, found: EnvironmentShape) -> Part:
        points, held = await self._asked.queries.traffic.history(found.project, found.name, self._span)
        freezes = [Freeze(item.began, item.ended or points[-1].at, item.held, item.longest_seconds) for item in held]
        return Part("environment_traffic", {"chart": chart(points, freezes), "span": self._span, "freezes": held})
