"""/metrics as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from deployd.api.metrics import render_metrics
from deployd.queries.figures import Figures
from deployd.queries.status import StatusShape
from deployd.router.table import EnvironmentTraffic, Released, RouterStatus
from deployd.units import MEGABYTE
from deployd.upkeep.traffic import Visits
from deployd.upkeep.usage.parts import Part, Use

LABELS = ("loop", "project", "environment", "class", "le", "kind", "name", "state")
STATUS = StatusShape(
    version="0.1.0", state="degraded", reasons=("why",), uptime_seconds=60,
    activities={"pending": 1, "in_progress": 2, "failed_last_hour": 3}, engine={}, router={},
    disk={"free_mb": 5, "needed_mb": 1},
)


def samples(figures: Figures, *projects: str) -> dict[str, float]:
    """{name, project, environment and other labels: value}"""
    page = render_metrics(STATUS, figures, projects.__contains__).decode()
    return {
        sample.name + "".join(f" {sample.labels[name]}" for name in LABELS if name in sample.labels): sample.value
        for family in text_string_to_metric_families(page) for sample in family.samples
    }


def figures() -> Figures:
    visits = Visits()
    for status, seconds in ((200, 0.003), (200, 0.2), (503, 61.0)):
        visits.count(status, seconds)
    traffic = EnvironmentTraffic("7", True, 9.0, False, 4, Released(5, 1.5))
    router = RouterStatus(1, 1, True, 1000, {"shop/main": traffic}, 4, 5, 6, 7, 8)
    return Figures(
        visits={"shop/main": visits, "blog/main": Visits()}, router=router, slots={"builds": (1, 2)}, lost_lines=9,
        loops={"crons": (3, 1)},
    )


def test_each_figure_has_its_place() -> None:
    found = samples(figures(), "shop", "blog")
    assert found["deployd_requests_total shop main 2xx"] == 2
    assert found["deployd_requests_total shop main 5xx"] == 1
    assert found["deployd_request_seconds_bucket shop main 0.005"] == 1
    assert found["deployd_request_seconds_bucket shop main 0.25"] == 2
    assert found["deployd_request_seconds_bucket shop main +Inf"] == 3
    assert found["deployd_request_seconds_count shop main"] == 3
    assert found["deployd_request_seconds_sum shop main"] == 61.203
    assert (found["deployd_held_requests shop main"], found["deployd_longest_wait_seconds shop main"]) == (4, 1.5)
    assert (found["deployd_router_released_requests_total"], found["deployd_router_up"]) == (5, 1)
    assert (found["deployd_slots_taken builds"], found["deployd_slots_waiting builds"]) == (1, 2)
    assert (found["deployd_loop_failures_total crons"], found["deployd_loop_failing crons"]) == (3, 1)
    assert (found["deployd_activities in_progress"], found["deployd_degraded"]) == (2, 1)
    assert (found["deployd_disk_free_bytes"], found["deployd_access_log_lost_lines_total"]) == (5 * MEGABYTE, 9)


def test_parts_of_environments_have_their_places() -> None:
    uses = (
        Use(Part("shop", "main", "worker", "shop--mailer"), 2, 3.5, 100, 200, 4, 5, None, 600),
        Use(Part("shop", "main", "service", "db"), restarts=7), Use(Part("blog", "main", "app", "blog"), 1),
        Use(Part("shop", "main", "shared", "shared"), disk_bytes=9),
    )
    found = samples(Figures(uses=uses), "shop")
    told = {name: value for name, value in found.items() if name.startswith("deployd_part") and "mailer" in name}
    assert told == {f"deployd_part_{name} shop main worker shop--mailer": value for name, value in {
        "containers": 2, "cpu_seconds_total": 3.5, "memory_bytes": 100, "memory_limit_bytes": 200,
        "restarts_total": 4, "memory_kills_total": 5, "disk_bytes": 600,
    }.items()}
    assert found["deployd_part_containers shop main service db"] == 0
    assert "deployd_part_memory_bytes shop main service db" not in found
    assert [name for name in found if "shared" in name] == ["deployd_part_disk_bytes shop main shared shared"]
    assert not [name for name in found if "blog" in name]


def test_environments_are_told_only_to_who_may_see_them() -> None:
    assert not [name for name in samples(figures()) if "shop" in name or "blog" in name]
    assert {name.split()[1] for name in samples(figures(), "blog") if name.endswith("main")} <= {"blog"}


def test_a_router_that_is_away_is_told() -> None:
    found = samples(Figures())
    assert found["deployd_router_up"] == 0
    assert "deployd_router_held_requests" not in found
