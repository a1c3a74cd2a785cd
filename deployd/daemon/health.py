"""How the daemon is: for `/status`, `/readyz`, `/metrics` and the watchdog."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from deployd.daemon.composition import Daemon
from deployd.daemon.resources import Resources
from deployd.errors import DeployError
from deployd.queries.figures import Figures
from deployd.queries.host import Meters
from deployd.queries.status import Footing
from deployd.router.table import RouterStatus
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.usage.parts import Use


async def footing(resources: Resources) -> Footing:
    """Whether Docker and the router answer."""
    engine: dict[str, Any] = {"reachable": False}
    router: dict[str, Any] = {"reachable": False}
    reasons = []
    try:
        engine = {"reachable": True, "version": await resources.engine.version()}
    except DeployError as error:
        reasons.append(error.what)
    try:
        seen = await resources.router.status(environments=False)
        router = {"reachable": True, "held_now": seen.held_now,
                  "longest_wait_seconds": seen.longest_seconds, "released": seen.released,
                  "expired": seen.expired, "left": seen.left, "refused": seen.refused}
    except DeployError as error:
        reasons.append(error.what)
    return Footing(engine=engine, router=router, reasons=tuple(reasons))


def degraded(daemon: Daemon) -> list[str]:
    """What is not well though pushes can be taken: the router, environments, rows of a newer deployd, undos that are
    stuck, certificates, the firewall, mails, what the kernel killed, and what fails in the loops that serve many. Who
    cannot say what is wrong with it is told too.
    """
    resources, activities, upkeep = daemon.resources, daemon.activities, daemon.upkeep
    found: list[str] = []
    for name, reasons in {
        "the router": lambda: resources.router_started.troubles, "environments": upkeep.watch.degraded,
        "lanes": lambda: activities.lanes.left_alone.values(), "undos": lambda: activities.limits.waits.stuck,
        "certificates": upkeep.certificates.troubles, "the firewall": resources.firewall.troubles,
        "reload": daemon.process.troubles, "what was killed": daemon.observation.usage.troubles,
        "mail": resources.mail.troubles, "SSH": daemon.process.ssh.troubles,
    }.items():
        with daemon.boundaries.of("status").contain(name):
            found += reasons()
    return [*found, *daemon.boundaries.troubles()]


def collected(collector: Collector) -> dict[str, Any]:
    """What the last round of housekeeping took away; empty before the first one."""
    last = collector.last
    if last is None:
        return {}
    things = Counter(going.thing.kind for going in last.going)
    return {"at": last.at.isoformat(), "things": dict(sorted(things.items())), "size_bytes": last.size_bytes}


async def measured(daemon: Daemon) -> Figures:
    """What `/metrics` tells besides the status."""
    limits, observation = daemon.activities.limits, daemon.observation
    traffic, failed_sign_ins = observation.traffic, observation.failed_sign_ins
    router: RouterStatus | None = None
    with suppress(DeployError):
        router = await daemon.resources.router.status()
        traffic.forget_all_but(router.environments)
    uses: list[Use] = []
    with suppress(DeployError):
        uses = await observation.usage.for_monitors()
    return Figures(
        visits=dict(traffic.visits), router=router,
        slots={pool.value: (slots.taken, slots.waiting) for pool, slots in limits.pools.items()},
        lost_lines=traffic.lost_lines, loops=daemon.boundaries.figures(), uses=uses,
        refused_sign_ins=failed_sign_ins.total, held_back_addresses=failed_sign_ins.held_back,
    )


def meters(daemon: Daemon) -> Meters:
    """What the page of the host reads."""
    limits, upkeep = daemon.activities.limits, daemon.upkeep
    return Meters(
        slots=lambda: {
            pool.value: (slots.taken, slots.total, slots.waiting) for pool, slots in limits.pools.items()
        },
        loops=daemon.boundaries.figures, counted=lambda: upkeep.disk_kinds.known, forecast=upkeep.free_space.forecast,
    )
