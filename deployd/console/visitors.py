"""What visitors of an environment see now, in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployd.queries.environments import EnvironmentShape
from deployd.router.table import EnvironmentTraffic, RouterStatus


@dataclass(frozen=True, slots=True)
class Visitors:
    """What they see."""

    see: Literal["open", "held", "maintenance", "nothing", "unknown", "asleep", "waking"]
    more: str = ""
    """How many, for how long; empty when there is nothing to add."""


def traffic_of(environment: EnvironmentShape, router: RouterStatus | None) -> EnvironmentTraffic | None:
    """What the router knows of an environment."""
    return router.environments.get(f"{environment.project}/{environment.name}") if router else None


def visitors_now(environment: EnvironmentShape, router: RouterStatus | None) -> Visitors:
    """What visitors see, as the router says."""
    if router is None:
        return Visitors("unknown", "the router does not answer")
    traffic = traffic_of(environment, router)
    if traffic is None:
        return Visitors("nothing")
    if traffic.asleep:
        waits = _held(traffic) if traffic.frozen and not traffic.maintenance else ""
        return Visitors("waking", waits or "503, until it is awake") if traffic.frozen else Visitors(
            "asleep", "the next one wakes it")
    if traffic.maintenance:   # first: a freeze that is over its time is both
        return Visitors("maintenance", "503, until the next switch")
    if traffic.frozen:
        return Visitors("held", _held(traffic))
    return Visitors("open") if traffic.version else Visitors("nothing")


def _held(traffic: EnvironmentTraffic) -> str:
    end = f"ends in {traffic.seconds_left:.0f} s at most"
    if not traffic.held_now:
        return f"nobody waits; {end}"
    requests = "1 request" if traffic.held_now == 1 else f"{traffic.held_now:,} requests"
    return f"{requests}, the longest for {traffic.freeze.longest_seconds:.1f} s; {end}"
