"""The page of an environment: its addresses with their certificates, its visitors, its last activities."""

from __future__ import annotations

from deployd.console.asked import Asked
from deployd.console.render import rendered
from deployd.console.visitors import traffic_of, visitors_now

ACTIVITIES = 10
KINDS = {
    "own": "the operator's own", "acme": "from an authority", "local": "from this host's own authority",
    "default": "the one that the router signed itself",
}
"""{kind of a certificate: what people read}"""


async def environment(asked: Asked) -> str:
    queries, found = asked.queries, await asked.environment()
    certificates = {item.host: item for item in queries.certificates.all() if item.project == found.project}
    router = (await queries.figures.now()).router
    return await rendered(
        "environment.html", caller=asked.caller, environment=found, visitors=visitors_now(found, router),
        traffic=traffic_of(found, router), certificates=certificates, kinds=KINDS,
        addresses=await queries.environments.addresses(found.project, found.name),
        activities=await queries.activities.latest([found.project], found.name, None, ACTIVITIES),
    )
