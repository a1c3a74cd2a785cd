"""What a deployment would do, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployd.ids import SlugKey
from deployd.plan import NOTHING_LIVE, KeyParts, Live, LiveApp, LiveService, WantedApp, WantedService, make_plan

PARTS = KeyParts("tree", "settings", "variables", "image", "1")
APP = WantedApp("shop", SlugKey("a"), PARTS, slug_exists=True, running="r")
DB = WantedService("db", "mariadb:11.8", "d")
LIVE = Live({"shop": LiveApp(SlugKey("a"), PARTS, "r")}, {"db": LiveService("mariadb:11.8", "d")}, ("http://x/",))
ROUTES = ("http://x/",)


def test_nothing_changed_means_reuse_keep_and_no_deploy_hook() -> None:
    assert make_plan([APP], [DB], ROUTES, LIVE).lines() == [
        "shop: reuse (unchanged)", "db: keep (unchanged)",
        "deploy hook: not run (neither code nor configuration changed)",
    ]


def test_a_first_deployment_builds_creates_and_runs_the_hook() -> None:
    plan = make_plan([replace(APP, slug_exists=False)], [DB], ROUTES, NOTHING_LIVE)
    assert plan.lines() == [
        "shop: build (first build)", "db: create (mariadb:11.8)", "http://x/: new route",
        "deploy hook: run (first deployment)",
    ]


def test_without_a_deploy_hook_none_is_run_and_nobody_is_held_for_it() -> None:
    plan = make_plan([replace(APP, slug_exists=False, has_deploy_hook=False)], [], ROUTES, NOTHING_LIVE)
    assert (plan.run_deploy_hook, plan.lines()[-1]) == (False, "deploy hook: not run (no application has one)")


def test_a_rebuild_names_its_reason() -> None:
    changed = replace(APP, slug=SlugKey("b"), slug_exists=False, parts=replace(PARTS, tree="new"), changed_files=3)
    assert make_plan([changed], [DB], ROUTES, LIVE).apps[0].why == "3 files changed"
    changed = replace(changed, parts=replace(PARTS, settings="new", image="new"))
    why = make_plan([changed], [DB], ROUTES, LIVE).apps[0].why
    assert why == "its build settings changed, its runtime image changed"


def test_the_same_tree_on_another_branch_reuses_the_slug() -> None:
    plan = make_plan([APP], [DB], ROUTES, NOTHING_LIVE)
    assert plan.apps[0].action == "reuse"
    assert plan.apps[0].why == "built before with the same input"


def test_a_changed_cron_or_route_runs_the_hook_and_builds_nothing() -> None:
    cron = make_plan([replace(APP, running="other")], [DB], ROUTES, LIVE)
    assert (cron.apps[0].action, cron.run_deploy_hook) == ("reuse", True)
    route = make_plan([APP], [DB], ("http://y/",), LIVE)
    assert (route.apps[0].action, route.run_deploy_hook) == ("reuse", True)
    assert (route.routes_added, route.routes_removed) == (("http://y/",), ("http://x/",))


def test_an_upgrade_is_done_in_place_and_a_downgrade_is_refused() -> None:
    up = make_plan([APP], [replace(DB, type="mariadb:12.3", digest="e")], ROUTES, LIVE)
    assert (up.services[0].action, up.refusals) == ("recreate", ())
    down = make_plan([APP], [replace(DB, type="mariadb:10.11", digest="e")], ROUTES, LIVE)
    assert "cannot go back from mariadb:11.8 to mariadb:10.11" in down.refusals[0]


@pytest.mark.parametrize(("before", "after", "said"), [
    ("postgresql:15", "postgresql:17", "pg_dump … | psql …"),
    ("postgresql:9.6", "postgresql:9.5", "cannot go back"),
    ("rabbitmq:3.10", "rabbitmq:4.0", "its makers want rabbitmq:3.11 to run on them in between"),
    ("oracle-mysql:8.0", "oracle-mysql:9.7", "its makers want oracle-mysql:8.4 to run"),
    ("mongodb:4.0", "mongodb:4.4", "its makers want mongodb:4.2 to run"),
    ("influxdb:1.8", "influxdb:2.7", "another major version does not read them"),
    ("elasticsearch:7.10", "elasticsearch:8.5", "index anew"),
    ("redis-persistent:8.0", "redis:8.0", "cannot change from redis-persistent:8.0 to redis:8.0"),
    ("valkey-persistent:9.1", "valkey-persistent:8.1", "cannot go back"),
    ("mariadb:10.5", "mariadb:11.8", None), ("postgresql:17", "postgresql:17", None),
    ("rabbitmq:3.8", "rabbitmq:3.10", None), ("rabbitmq:4.0", "rabbitmq:4.3", None),
    ("oracle-mysql:8.4", "oracle-mysql:9.7", None),
    ("redis-persistent:6.0", "redis-persistent:8.0", None), ("clickhouse:24.3", "clickhouse:26.3", None),
    ("redis:8.0", "redis:7.0", None), ("redis:7.0", "redis-persistent:7.0", None),   # only in memory
])
def test_data_go_as_far_as_the_makers_of_a_service_say(before: str, after: str, said: str | None) -> None:
    live = replace(LIVE, services={"db": replace(LIVE.services["db"], type=before)})
    refusals = make_plan([APP], [replace(DB, type=after, digest="e")], ROUTES, live).refusals
    assert not refusals if said is None else said in refusals[0]


def test_what_has_no_data_of_its_version_may_go_back() -> None:
    before = {"front": LiveService("varnish:7.7", "d"), "files": LiveService("network-storage:2.0", "d")}
    wanted = [WantedService("front", "varnish:7.1", "e"), WantedService("files", "network-storage:1.0", "e")]
    plan = make_plan([APP], wanted, ROUTES, replace(LIVE, services=before))
    assert plan.refusals == ()
    assert [item.action for item in plan.services] == ["recreate", "keep"], "a storage is a folder, and no container"


def test_a_service_cannot_become_another_kind_under_its_name() -> None:
    plan = make_plan([APP], [replace(DB, type="postgresql:17", digest="e")], ROUTES, LIVE)
    assert "cannot change from mariadb:11.8 to postgresql:17" in plan.refusals[0]


def test_what_is_no_longer_wanted_is_removed() -> None:
    plan = make_plan([], [], (), LIVE)
    assert [(app.name, app.action) for app in plan.apps] == [("shop", "remove")]
    assert [(service.name, service.action) for service in plan.services] == [("db", "remove")]


def test_a_rolling_switch_needs_services_that_both_versions_can_use() -> None:
    changed = replace(APP, slug_exists=False)
    assert make_plan([changed], [DB], ROUTES, LIVE).switch_why == ""
    rolling = make_plan([changed], [DB], ROUTES, LIVE, rolling=True)
    assert rolling.rolling
    assert "switch: rolling (the earlier version serves until the new one answers)" in rolling.lines()
    anew = make_plan([changed], [replace(DB, digest="e")], ROUTES, LIVE, rolling=True)
    assert not anew.rolling
    assert f"switch: with a freeze this time, because {DB.name} cannot serve two versions at once" in anew.lines()
    first = make_plan([changed], [DB], ROUTES, NOTHING_LIVE, rolling=True)
    assert (first.rolling, first.switch_why) == (False, "")


def test_the_plan_says_what_is_replaced_while_visitors_are_held_and_whether_that_takes_longer() -> None:
    anew = replace(DB, digest="e", usual_seconds=4)
    assert make_plan([APP], [anew], ROUTES, LIVE).lines()[-1] == "visitors: held while db is replaced, for some 4 s"
    slow = replace(LIVE, services={"db": LiveService("mariadb:11.8", "d", ready_seconds=74.6)})
    assert make_plan([APP], [anew], ROUTES, slow, freeze_seconds=60).lines()[-1] == (
        "visitors: held while db is replaced, for some 75 s; after 60 s (`freeze_seconds`) they see the maintenance"
        " page until the new version is live"
    )
    files = make_plan([APP], [anew], ROUTES, LIVE, given_files=200_000).held_why
    assert files == "held while db, the owner of the files in its mounts are replaced, for some 14 s"
    assert make_plan([APP], [DB, anew], ROUTES, NOTHING_LIVE).held_why == "", "nobody visits it yet"
    assert make_plan([APP], [DB], ROUTES, LIVE).held_why == ""


def test_how_long_a_service_took_makes_no_other_version_of_it() -> None:
    assert LiveService("mariadb:11.8", "d", 3.0) == LiveService("mariadb:11.8", "d")


def test_what_is_to_be_built_anew_says_so() -> None:
    (planned,) = make_plan([replace(APP, slug_exists=False, anew=True)], [DB], ROUTES, LIVE).apps
    assert (planned.action, planned.why) == ("build", "asked for, with an empty cache")


def test_another_number_of_instances_is_said_and_builds_nothing() -> None:
    app = WantedApp("app", SlugKey("a" * 64), PARTS, True, "r", instances=3)
    live = Live({"app": LiveApp(app.slug, PARTS, "r")}, {})
    plan = make_plan((app,), (), (), live)
    assert plan.instances == ("app: 3 instances, 1 before",)
    assert [item.action for item in plan.apps] == ["reuse"]
    assert not plan.run_deploy_hook
    assert make_plan((replace(app, instances=1),), (), (), live).instances == ()
    assert make_plan((app,), (), (), NOTHING_LIVE).instances == ("app: 3 instances",)
