"""How the daemon is: for `/status`, `/readyz`, `/metrics` and the watchdog."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from deployd.activity.holding import Limits
from deployd.activity.lanes import Lanes
from deployd.activity.net import Nets
from deployd.certificates.manager import Keeper
from deployd.daemon.edges import Edges
from deployd.daemon.lasting import Lasting
from deployd.errors import DeployError
from deployd.http.guesses import Guesses
from deployd.queries.figures import Figures
from deployd.queries.status import Footing
from deployd.router.table import RouterStatus
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.traffic import Traffic
from deployd.upkeep.usage.keeper import Usage
from deployd.upkeep.usage.parts import Use
from deployd.upkeep.watch import Watch


async def footing(edges: Edges) -> Footing:
    """Whether Docker and the router answer."""
    engine: dict[str, Any] = {"reachable": False}
    router: dict[str, Any] = {"reachable": False}
    reasons = []
    try:
        engine = {"reachable": True, "version": await edges.engine.version()}
    except DeployError as error:
        reasons.append(error.what)
    try:
        seen = await edges.router.status(environments=False)
        router = {"reachable": True, "held_now": seen.held_now,
                  "longest_wait_seconds": seen.longest_seconds, "released": seen.released,
                  "expired": seen.expired, "left": seen.left, "refused": seen.refused}
    except DeployError as error:
        reasons.append(error.what)
    return Footing(engine=engine, router=router, reasons=tuple(reasons))


def degraded(
    edges: Edges, watch: Watch, lanes: Lanes, limits: Limits, keeper: Keeper, nets: Nets, usage: Usage,
    lasting: Lasting,
) -> list[str]:
    """What is not well though pushes can be taken: the router, environments, rows of a newer deployd, undos that are
    stuck, certificates, the firewall, mails, what the kernel killed, and what fails in the loops that serve many. Who
    cannot say what is wrong with it is told too.
    """
    found: list[str] = []
    for name, reasons in {
        "the router": lambda: edges.router_started.troubles, "environments": watch.degraded,
        "lanes": lambda: lanes.left_alone.values(), "undos": lambda: limits.waits.stuck,
        "certificates": keeper.troubles, "the firewall": edges.wall.troubles, "reload": lasting.troubles,
        "what was killed": usage.troubles, "mail": edges.mail.troubles,
    }.items():
        with nets.of("status").contain(name):
            found += reasons()
    return [*found, *nets.troubles()]


def collected(collector: Collector) -> dict[str, Any]:
    """What the last round of housekeeping took away; empty before the first one."""
    last = collector.last
    if last is None:
        return {}
    things = Counter(going.thing.kind for going in last.going)
    return {"at": last.at.isoformat(), "things": dict(sorted(things.items())), "size_bytes": last.size_bytes}


async def measured(
    edges: Edges, traffic: Traffic, limits: Limits, nets: Nets, guesses: Guesses, usage: Usage,
) -> Figures:
    """What `/metrics` tells besides the status."""
    router: RouterStatus | None = None
    with suppress(DeployError):
        router = await edges.router.status()
        traffic.forget_all_but(router.environments)
    uses: list[Use] = []
    with suppress(DeployError):
        uses = await usage.for_monitors()
    slots = {"builds": limits.builds, "deployments": limits.deploys}
    return Figures(
        visits=dict(traffic.visits), router=router,
        slots={name: (found.taken, found.waiting) for name, found in slots.items()}, lost_lines=traffic.lost_lines,
        loops=nets.figures(), uses=uses, refused_sign_ins=guesses.total, held_back_addresses=guesses.held_back,
    )
