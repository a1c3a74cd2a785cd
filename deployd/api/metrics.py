"""`/metrics`: what a monitoring system collects, in the text format of Prometheus. Pure.

Names and labels are stable. Environments appear only to callers who may see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from deployd.queries.figures import Figures
from deployd.queries.status import StatusShape
from deployd.router.table import RouterStatus
from deployd.units import MEGABYTE
from deployd.upkeep.traffic import BOUNDS_SECONDS
from deployd.upkeep.usage.parts import Use

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WHO = ("project", "environment")


def render_metrics(status: StatusShape, figures: Figures, may_see: Callable[[str], bool]) -> bytes:
    """The whole page.

    Args:
        may_see: Of a project.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*_of_the_daemon(status, figures), *_of_environments(figures, may_see)]))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> list[Metric]:
        return self._found


def _of_the_daemon(status: StatusShape, figures: Figures) -> Iterator[Metric]:
    yield _gauge("deployd_up_seconds", "Since the daemon started.", status.uptime_seconds)
    yield _gauge("deployd_degraded", "1 when something is not as it should be.", int(status.state != "ok"))
    yield _gauge("deployd_disk_free_bytes", "On the disk of the state.", status.disk["free_mb"] * MEGABYTE)
    activities = GaugeMetricFamily("deployd_activities", "Activities that wait, run, or failed in the last hour.",
                                   labels=("state",))
    for state, count in status.activities.items():
        activities.add_metric((state,), count)
    yield activities
    for name, about, place in (("taken", "Builds and deployments that run.", 0), ("waiting", "That wait to run.", 1)):
        slots = GaugeMetricFamily(f"deployd_slots_{name}", about, labels=("kind",))
        for kind, counts in figures.slots.items():
            slots.add_metric((kind,), counts[place])
        yield slots
    failures = CounterMetricFamily("deployd_loop_failures", "Failures of single items in loops that serve many.",
                                   labels=("loop",))
    failing = GaugeMetricFamily("deployd_loop_failing", "Items that failed at their last try.", labels=("loop",))
    for loop, (count, now) in figures.loops.items():
        failures.add_metric((loop,), count)
        failing.add_metric((loop,), now)
    yield from (failures, failing)
    yield CounterMetricFamily("deployd_refused_sign_ins", "Wrong tokens and signatures, and those not looked at.",
                              value=figures.refused_sign_ins)
    yield _gauge("deployd_held_back_addresses", "From which no token is looked at now.", figures.held_back_addresses)
    yield _gauge("deployd_router_up", "1 when the router answers.", int(figures.router is not None))
    yield CounterMetricFamily("deployd_access_log_lost_lines", "Requests that could not be counted or logged.",
                              value=figures.lost_lines)
    if figures.router is not None:
        yield from _of_the_router(figures.router)


def _of_the_router(router: RouterStatus) -> Iterator[Metric]:
    yield _gauge("deployd_router_held_requests", "Requests that wait in a freeze now.", router.held_now)
    yield _gauge("deployd_router_free_bytes", "Of the memory for routes.", router.free_bytes)
    for name, about, value in (
        ("released", "Held requests that went on.", router.released),
        ("expired", "Held requests whose freeze was over: they got the maintenance page.", router.expired),
        ("left", "Held requests whose clients went away.", router.left),
        ("refused", "Requests over the bound of held ones.", router.refused),
    ):
        yield CounterMetricFamily(f"deployd_router_{name}_requests", about, value=value)


def _of_environments(figures: Figures, may_see: Callable[[str], bool]) -> Iterator[Metric]:
    answers = CounterMetricFamily("deployd_requests", "Answers to visitors.", labels=(*WHO, "class"))
    seconds = HistogramMetricFamily("deployd_request_seconds", "Time of a request, with what it was held.", labels=WHO)
    for name, visits in sorted(figures.visits.items()):
        who = _who(name)
        if may_see(who[0]):
            for kind, count in visits.classes.items():
                answers.add_metric((*who, kind), count)
            bounds = [*(str(bound) for bound in BOUNDS_SECONDS), "+Inf"]
            seconds.add_metric(who, list(zip(bounds, accumulate(visits.buckets), strict=True)), visits.seconds)
    yield answers
    yield seconds
    held = GaugeMetricFamily("deployd_held_requests", "Requests that wait in a freeze now.", labels=WHO)
    longest = GaugeMetricFamily("deployd_longest_wait_seconds", "In the freeze that is on or the last one.", labels=WHO)
    frozen = GaugeMetricFamily("deployd_frozen", "1 when visitors are held or see the maintenance page.", labels=WHO)
    for name, traffic in figures.router.environments.items() if figures.router else ():
        who = _who(name)
        if may_see(who[0]):
            held.add_metric(who, traffic.held_now)
            longest.add_metric(who, traffic.freeze.longest_seconds)
            frozen.add_metric(who, int(traffic.frozen or traffic.maintenance))
    yield from (held, longest, frozen)
    yield from _of_parts([use for use in figures.uses if may_see(use.part.project)])


def _of_parts(uses: Sequence[Use]) -> Iterator[Metric]:
    """Labels are those of the project's files, and no containers': they stay the same over deployments."""
    labels = (*WHO, "kind", "name")
    running = [use for use in uses if use.containers]
    cpu = CounterMetricFamily("deployd_part_cpu_seconds", "Of processors, since its containers began.", labels=labels)
    restarts = CounterMetricFamily("deployd_part_restarts", "By Docker, because a container ended.", labels=labels)
    kills = CounterMetricFamily("deployd_part_memory_kills", "Processes that the kernel killed for want of memory.",
                                labels=labels)
    containers = GaugeMetricFamily("deployd_part_containers", "That run.", labels=labels)
    memory = GaugeMetricFamily("deployd_part_memory_bytes", "That the kernel cannot give away.", labels=labels)
    limits = GaugeMetricFamily("deployd_part_memory_limit_bytes", "That it may use at most.", labels=labels)
    disk = GaugeMetricFamily("deployd_part_disk_bytes", "Mounts or a service's data, as counted last.", labels=labels)
    for use in uses:
        who = _labels(use)
        if use.part.kind != "shared":
            for family, count in ((containers, use.containers), (restarts, use.restarts), (kills, use.kills)):
                family.add_metric(who, count)
        if use.disk_bytes is not None:
            disk.add_metric(who, use.disk_bytes)
    for use in running:
        cpu.add_metric(_labels(use), use.cpu_seconds)
        memory.add_metric(_labels(use), use.memory_bytes)
        if use.memory_limit_bytes is not None:
            limits.add_metric(_labels(use), use.memory_limit_bytes)
    yield from (containers, cpu, memory, limits, restarts, kills, disk)


def _labels(use: Use) -> tuple[str, str, str, str]:
    return use.part.project, use.part.environment, use.part.kind, use.part.name


def _who(environment: str) -> tuple[str, str]:
    project, _, name = environment.partition("/")
    return project, name


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)
