"""What the steps of a deployment decide, with a host of doubles: whom they freeze, thaw, stop, unmount and keep."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.journal import DONE, STARTED, Journal, write_result
from deployd.catalogue import load_catalogue
from deployd.clock import SystemClock
from deployd.deployment import deploy, hooks, route
from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.deployment.kinds import KINDS
from deployd.deployment.mode import Mode, Target
from deployd.deployment.results import AppsUp, Fetched, Planned, Replaced, ServicesUp
from deployd.deployment.services import put_back_services
from deployd.deployment.steps import PUSH
from deployd.engine.names import ACTIVITY, PART, ROLE, is_set_aside
from deployd.engine.observed import ContainerSeen, VolumeSeen
from deployd.engine.script import prepare
from deployd.environment.naming import machine_name
from deployd.errors import DeployError, Transient
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId, SlugKey
from deployd.plan import KeyParts, Plan, PlannedService
from deployd.project.reader import read_project
from deployd.release.applications.hook_runs import HookFailed, script_name
from deployd.release.fingerprint import live_containers
from deployd.release.paths import Places
from deployd.release.store import StateFacts
from deployd.release.version import AppVersion, ServiceVersion, Version
from deployd.release.version_removal import unmount_unused
from deployd.router.control import RouterRefused, RouterUnanswered
from deployd.router.table import Released
from deployd.settings import ProjectSettings, Settings, config_folder
from deployd.state import activities, entries, environments
from deployd.state.activities import Activity, NewActivity, Trigger
from deployd.state.entries import Entry
from tests.doubles.activity_world import QuietTell
from tests.doubles.store import MemoryStore
from tests.doubles.trees import DictTree

SHOP, MAIN = ProjectId("shop"), machine_name("main")
NOW = datetime(2026, 3, 2, tzinfo=UTC)
APP = "name: app\ntype: python:3.13\nweb: {commands: {start: sleep 1}}\n"
HOOKED = APP + "hooks: {deploy: migrate}\n"
OLD, NEW = ActivityId(7), ActivityId(8)


def version(activity: ActivityId, slug: str, *services: str) -> Version:
    app = AppVersion("app", SlugKey(slug * 64), "tree", "image", KeyParts("", "", "", "", ""), "")
    return Version(activity, CommitId("a" * 40), (app,), tuple(
        ServiceVersion(name, "redis:8.0", "image", "digest") for name in services), ())


def seen(role: str, part: str, activity: ActivityId | None, *, running: bool = True) -> ContainerSeen:
    labels = {ROLE: role, PART: part} | ({ACTIVITY: str(activity)} if activity else {})
    return ContainerSeen(f"{part}-{role}-{activity}", "id", "image", "image", labels, running, None, None, {})


@dataclass
class Doubles:
    """A host that remembers, in order, what it was asked to do."""

    folder: Path
    files: dict[str, str] = field(default_factory=lambda: {".platform.app.yaml": APP})
    found: list[ContainerSeen] = field(default_factory=list)
    kept: list[VolumeSeen] = field(default_factory=list)
    in_use: frozenset[SlugKey] = frozenset()
    live: str | None = None
    memory_full: bool = False
    error: Exception | None = None
    did: list[str] = field(default_factory=list)

    @property
    def host(self) -> Any:
        return SimpleNamespace(
            settings=Settings(instance="test", state=self.folder, run=self.folder.with_name(f"{self.folder.name}-run")),
            code=self, engine=self, slugs=self, router=self, facts=self, clock=SystemClock(),
            places=Places(self.folder, self.folder),
            catalogue=load_catalogue(config_folder() / "catalogue.yaml"),
        )

    async def read(self, project: ProjectSettings, commit: CommitId) -> Any:
        return read_project(DictTree(self.files))

    async def containers(self, labels: dict[str, str]) -> list[ContainerSeen]:
        asked = {name: labels[name] for name in (ROLE, PART, ACTIVITY) if name in labels}
        return [item for item in self.found if asked.items() <= item.labels.items()]

    async def container(self, name: str) -> ContainerSeen:
        return ContainerSeen(name, "", "", "", {}, running=True, exit_status=None, health="none", addresses={})

    async def ran_out_of_memory(self, name: str) -> bool:
        return self.memory_full

    async def volumes(self, labels: dict[str, str]) -> list[VolumeSeen]:
        return [item for item in self.kept if labels.items() <= item.labels.items()]

    async def rest(self, *_: object) -> str:
        return ""

    async def start(self, name: str) -> None:
        self.did.append(f"start {name}")

    async def stop(self, name: str, stop_seconds: int | None = None) -> None:
        if self.error:
            raise self.error
        self.did.append(f"stop {name}")

    async def ensure_container_gone(self, name: str, stop_seconds: int) -> None:
        if self.error:
            raise self.error
        self.did.append(f"remove {name}")

    async def ensure_volume_gone(self, name: str) -> None:
        self.did.append(f"remove {name}")

    async def ensure_network_gone(self, name: str) -> None:
        self.did.append("remove network")

    async def ensure_unmounted(self, key: SlugKey, unless: Any) -> None:
        if not await unless():
            self.did.append(f"unmount {key[0]}")

    async def slugs_in_use(self, *but_for: ActivityId) -> frozenset[SlugKey]:
        return self.in_use

    async def freeze(self, environment: str, seconds: float) -> None:
        self.did.append("freeze")

    async def preview(self, routes: Any) -> None:
        self.did.append(f"preview {routes.version}")

    async def set_usual_answers(self, environment: Any, statuses: Any) -> None:
        self.did.append(f"answers {statuses}")

    async def thaw(self, environment: str) -> Released:
        self.did.append("thaw")
        return Released()

    async def switch(self, routes: Any) -> Released:
        assert self.error is not None
        raise self.error

    async def look(self, environment: str) -> str | None:
        return self.live


@pytest.fixture
def doubles(tmp_path: Path) -> Doubles:
    return Doubles(tmp_path)


def deployment(
    before: Version | None, *steps: tuple[str, str], plan: Plan | None = None, keep: bool = False,
) -> Deployment:
    planned = Planned(version(NEW, "b"), before, plan or Plan((), ()), ())
    journal = Journal((
        Entry("fetch", DONE, NOW, write_result(Fetched(CommitId("a" * 40)))),
        Entry("read_and_plan", DONE, NOW, write_result(planned)),
        *(Entry(step, event, NOW) for step, event in steps),
    ))
    here = EnvironmentId(SHOP, MAIN)
    activity = Activity(NEW, here, "main", "push", PUSH.version, None, Trigger("ada", "git"), "in_progress", "", NOW)
    project = ProjectSettings(id=SHOP, on_deploy_failure="keep" if keep else None)
    return Deployment(activity, project, "test", journal, Mode(Target.COMMIT, waits_for_unlock=True))


async def test_nobody_is_held_when_nothing_is_live_or_no_deploy_hook_is_there(doubles: Doubles) -> None:
    tell: Any = QuietTell()
    assert not (await hooks.freeze(deployment(version(OLD, "a")), doubles.host, tell)).held
    doubles.files = {".platform.app.yaml": HOOKED}
    assert not (await hooks.freeze(deployment(None), doubles.host, tell)).held
    unhooked = Plan((), (), run_deploy_hook=False)
    assert not (await hooks.freeze(deployment(version(OLD, "a"), plan=unhooked), doubles.host, tell)).held
    rolling = Plan((), (), rolling=True)
    assert not (await hooks.freeze(deployment(version(OLD, "a"), plan=rolling), doubles.host, tell)).held
    assert doubles.did == []


async def test_a_freeze_stops_the_workers_of_the_version_before(doubles: Doubles) -> None:
    doubles.files = {".platform.app.yaml": HOOKED}
    doubles.found = [seen("worker", "mailer", OLD), seen("worker", "mailer", NEW), seen("app", "app", OLD)]
    assert (await hooks.freeze(deployment(version(OLD, "a")), doubles.host, QuietTell())).held  # type: ignore[arg-type]
    assert doubles.did == ["freeze", "preview 8", "stop mailer-worker-7"]


async def test_a_thaw_releases_first_and_starts_only_the_workers_of_what_was_live(doubles: Doubles) -> None:
    doubles.found = [
        seen("worker", "mailer", ActivityId(5), running=False), seen("worker", "mailer", OLD, running=False),
        seen("worker", "other", OLD), seen("worker", "mailer", NEW, running=False),
    ]
    await hooks.thaw_to_old(deployment(version(OLD, "a")), doubles.host, QuietTell())  # type: ignore[arg-type]
    assert doubles.did == ["thaw", "start mailer-worker-7"]


async def test_a_thaw_of_a_new_environment_says_nothing_of_an_earlier_version(doubles: Doubles) -> None:
    tell: Any = QuietTell()
    await hooks.thaw_to_old(deployment(None), doubles.host, tell)
    assert (doubles.did, tell.said) == ([], [])


@pytest.mark.parametrize("up", [ServicesUp(("store",), replaced=("store",)), ServicesUp((), new_owner=True)])
async def test_visitors_are_held_for_what_is_replaced_though_no_hook_runs(doubles: Doubles, up: ServicesUp) -> None:
    doubles.files = {".platform.app.yaml": APP}
    plan = Plan((), (), run_deploy_hook=False, rolling=True)
    made = with_result(deployment(version(OLD, "a"), plan=plan), "start_services", up)
    assert (await hooks.freeze(made, doubles.host, QuietTell())).held  # type: ignore[arg-type]
    new = with_result(deployment(None, plan=plan), "start_services", up)
    assert not (await hooks.freeze(new, doubles.host, QuietTell())).held  # type: ignore[arg-type]


def test_an_application_waits_for_what_it_needs_straight_or_by_others() -> None:
    text = "".join(
        f"- {{name: {name}, type: 'python:3.13', source: {{root: {name}}}, relationships: {{it: '{needed}'}},"
        " web: {commands: {start: x}}}\n"
        for name, needed in {"front": "back:http", "back": "store:redis", "other": "cache:redis"}.items()
    )
    result = read_project(DictTree({
        ".platform/applications.yaml": text, "front/x": "", "back/x": "", "other/x": "",
        ".platform/services.yaml": "store: {type: 'redis:8.0'}\ncache: {type: 'redis:8.0'}\n",
        ".platform/routes.yaml": "https://{default}/: {type: upstream, upstream: 'front:http'}\n",
    }))
    config = result.config
    assert config is not None, result.errors
    made = with_result(deployment(version(OLD, "a")), "start_services", ServicesUp((), replaced=("store",)))
    deferred = deferred_of(made)
    assert [app.name for app in config.applications if deferred.includes(app, config)] == ["front", "back"]
    assert not any(deferred_of(deployment(None)).includes(app, config) for app in config.applications)
    owner = deferred_of(with_result(made, "start_services", ServicesUp((), new_owner=True)))
    assert all(owner.includes(app, config) for app in config.applications)


def test_what_an_earlier_deployd_began_and_had_replaced_at_once_has_nothing_to_wait_for() -> None:
    entry = Entry("start_services", DONE, NOW, '{"services": ["store"]}')
    made = deployment(version(OLD, "a"))
    assert not deferred_of(replace(made, journal=Journal((*made.journal.entries, entry)))).anything
    for kind in ("push", "redeploy", "rollback"):
        for number in (1, 2):
            table = next(table for table in KINDS[kind].tables if table.version == number)
            assert "replace_services" in [step.name for step in table.steps], "what was not replaced yet still is"


def with_result(made: Deployment, step: str, result: object) -> Deployment:
    entry = Entry(step, DONE, NOW, write_result(result))
    return replace(made, journal=Journal((*made.journal.entries, entry)))


def test_a_container_that_was_put_aside_is_not_the_services_own() -> None:
    names = deployment(None).names
    own = ContainerSeen(names.service("db"), "i", "", "", names.labels("service", "db"), True, None, "none", {})
    found = [
        replace(own, name=name) for name in (names.next_service("db", NEW), own.name, names.earlier_service("db", NEW))
    ]
    assert live_containers(version(OLD, "a", "db"), found) == [own]
    odd = names.service("db..next-8")
    assert not is_set_aside(odd, "db..next-8"), "a service that is called so"


async def test_seconds_of_a_replacement_are_kept_with_the_version() -> None:
    before = version(OLD, "a", "store").with_seconds({"store": 7.5}, None)
    made = deployment(before)
    made = replace(made, journal=Journal((*made.journal.entries[:1], replace(
        made.journal.entries[1],
        result=write_result(replace(made.planned, version=version(NEW, "b", "store", "cache"))),
    ))))
    assert [item.ready_seconds for item in made.version.services] == [7.5, None]
    done = with_result(made, "replace_services", Replaced({"cache": 1.5}))
    assert [item.ready_seconds for item in done.version.services] == [7.5, 1.5]


def kept_from(activity: ActivityId, made_by: ActivityId) -> Version:
    """With an application `app` and a worker of it, in the containers of an earlier deployment, and an own one."""
    made = version(activity, "a")
    app = replace(made.apps[0], workers=("app--tick",), made_by=made_by)
    return replace(made, apps=(app, replace(app, name="other", workers=(), made_by=None)))


def test_containers_that_are_kept_belong_to_the_version_and_those_of_their_deployment_to_none() -> None:
    found = [
        seen(role, part, activity)
        for role, part in (("app", "app"), ("web", "app"), ("worker", "app--tick"), ("app", "other"))
        for activity in (ActivityId(5), OLD)
    ]
    live = live_containers(kept_from(OLD, ActivityId(5)), found)
    assert [item.name for item in live] == ["app-app-5", "app-web-5", "app--tick-worker-5", "other-app-7"]
    assert kept_from(OLD, ActivityId(5)).kept_parts() == {"5": frozenset({"app", "app--tick"})}


async def test_a_thaw_starts_the_workers_that_were_kept(doubles: Doubles) -> None:
    doubles.found = [
        seen("worker", "app--tick", ActivityId(5), running=False), seen("worker", "app--tick", OLD, running=False),
    ]
    await hooks.thaw_to_old(deployment(kept_from(OLD, ActivityId(5))), doubles.host, QuietTell())  # type: ignore[arg-type]
    assert doubles.did == ["thaw", "start app--tick-worker-5"]


async def test_only_workers_that_are_not_kept_are_stopped_after_the_switch(doubles: Doubles) -> None:
    doubles.found = [seen("worker", "app--tick", OLD), seen("worker", "gone", OLD)]
    made = deployment(version(OLD, "a"))
    await hooks.stop_old_workers(made, doubles.host, QuietTell(), but_for=["app--tick-worker-7"])  # type: ignore[arg-type]
    assert doubles.did == ["stop gone-worker-7"]


def test_the_version_that_goes_live_says_whose_containers_it_goes_on_in() -> None:
    made = with_result(deployment(version(OLD, "a")), "start_apps", AppsUp((), {"app": ActivityId(5)}))
    assert made.version.app("app") == replace(version(NEW, "b").apps[0], made_by=ActivityId(5))
    assert made.container("web", "app") == made.names.container(ActivityId(5), "web", "app")
    assert script_name(made, "app", "deploy") == "deploy-8", "beside those of the deployments before"
    assert script_name(deployment(None), "app", "deploy") == "deploy"


def ended_with(folder: Path, status: int) -> None:
    """The traces of a script that has ended."""
    prepare(folder.parent, folder.name, "", group=os.getgid())
    (folder / "started").write_text("yes\n")
    (folder / "status").write_text(f"{status}\n")


@pytest.mark.parametrize("keep", [False, True])
async def test_a_failed_deploy_hook_counts_unless_the_policy_is_keep(doubles: Doubles, keep: bool) -> None:
    doubles.files = {".platform.app.yaml": HOOKED}
    made = deployment(None, keep=keep)
    traces = doubles.host.places.instance(EnvironmentId(SHOP, MAIN), NEW, "app") / "scripts" / "deploy"
    ended_with(traces, 3)   # a daemon before us started it
    tell: Any = QuietTell()
    if keep:
        assert (await hooks.run_deploy_hook(made, doubles.host, tell)).apps == ("app",)
        assert [kind for kind, _ in tell.said if kind != "line"] == ["error", "warn"]
    else:
        with pytest.raises(HookFailed):
            await hooks.run_deploy_hook(made, doubles.host, tell)


async def test_a_hook_that_fails_on_a_stand_in_for_its_runtime_says_so(doubles: Doubles) -> None:
    doubles.files = {".platform.app.yaml": re.sub("type: .*", "type: python:3.8", HOOKED)}
    ended_with(doubles.host.places.instance(EnvironmentId(SHOP, MAIN), NEW, "app") / "scripts" / "deploy", 1)
    tell: Any = QuietTell()
    with pytest.raises(HookFailed, match=r"code 1 after \d+ s \(with python:3\.9, as this host has no python:3\.8\)"):
        await hooks.run_deploy_hook(deployment(None), doubles.host, tell)


async def test_a_hook_that_was_killed_for_want_of_memory_is_said_so(doubles: Doubles) -> None:
    doubles.files, doubles.memory_full = {".platform.app.yaml": HOOKED}, True
    traces = doubles.host.places.instance(EnvironmentId(SHOP, MAIN), NEW, "app") / "scripts" / "deploy"
    ended_with(traces, 137)
    tell: Any = QuietTell()
    with pytest.raises(HookFailed, match=r"its memory \(512 MB\) was full") as caught:
        await hooks.run_deploy_hook(deployment(None), doubles.host, tell)
    assert "size" in caught.value.hint


@pytest.mark.parametrize(("error", "tried_before", "live", "raised"), [
    (RouterRefused("no"), False, None, route.NotSwitched),
    (RouterUnanswered("silence"), False, None, RouterUnanswered),
    (RouterRefused("no"), True, "7", route.NotSwitched),
    (RouterRefused("no"), True, "8", RouterRefused),
])
async def test_only_a_switch_that_was_certainly_not_done_is_called_so(
    doubles: Doubles, error: Exception, tried_before: bool, live: str | None, raised: type[Exception],
) -> None:
    doubles.error, doubles.live = error, live
    tries = [("switch", STARTED)] if tried_before else []
    with pytest.raises(DeployError) as caught:
        await route.switch(deployment(version(OLD, "a"), *tries), doubles.host, QuietTell())  # type: ignore[arg-type]
    assert type(caught.value) is raised


async def test_old_containers_that_cannot_be_removed_are_tried_again(doubles: Doubles) -> None:
    doubles.found, doubles.error = [seen("web", "app", OLD)], DeployError("docker is busy")
    with pytest.raises(Transient):
        await route.retire_old(deployment(version(OLD, "a")), doubles.host, QuietTell())  # type: ignore[arg-type]


async def test_what_an_interrupted_removal_left_of_old_versions_is_removed(doubles: Doubles) -> None:
    retiring = deployment(version(OLD, "a"))
    doubles.kept = [VolumeSeen("socket", retiring.names.labels("run", "app", OLD), Path("/none"))]
    folder = doubles.host.places.version(EnvironmentId(SHOP, MAIN), ActivityId(5))
    folder.mkdir(parents=True)
    retired = await route.retire_old(retiring, doubles.host, QuietTell())  # type: ignore[arg-type]
    assert retired.versions == ("5", str(OLD))
    assert "remove socket" in doubles.did
    assert not folder.exists()


async def test_a_slug_that_something_else_runs_on_stays_mounted(doubles: Doubles) -> None:
    apps = (*version(OLD, "a").apps, *version(OLD, "c").apps)
    doubles.in_use = frozenset({SlugKey("c" * 64)})
    await unmount_unused(doubles.host, apps)
    assert doubles.did == ["unmount a"]


@pytest.mark.parametrize(("made_by", "kept"), [(NEW, False), (OLD, True)])
async def test_only_a_volume_of_this_activity_goes_with_a_service_that_was_new(
    doubles: Doubles, made_by: ActivityId, kept: bool,
) -> None:
    plan = Plan((), (PlannedService("store", "create", "new"), PlannedService("other", "keep", "unchanged")))
    made = deployment(version(OLD, "a"), plan=plan)
    doubles.kept = [VolumeSeen("data", made.names.labels("volume", "store", made_by=made_by), Path("/none"))]
    await put_back_services(made, doubles.host, QuietTell())  # type: ignore[arg-type]
    assert doubles.did == [f"remove {made.names.service('store')}", *([] if kept else ["remove data"])]


async def test_a_new_environment_takes_its_network_and_folder_along(doubles: Doubles) -> None:
    folder = doubles.folder / "environments" / SHOP / MAIN
    (folder / "volumes").mkdir(parents=True)
    await put_back_services(deployment(None), doubles.host, QuietTell())  # type: ignore[arg-type]
    assert doubles.did == ["remove network"]
    assert not folder.exists()


async def test_slugs_of_live_versions_and_of_deployments_under_way_are_in_use() -> None:
    store = MemoryStore()
    facts = StateFacts(store, None, None, None, None, None)  # type: ignore[arg-type]
    ids = []
    for name in ("main", "dev", "done"):
        environments.ensure(store.db, EnvironmentId(SHOP, machine_name(name)), name, NOW)
        new = NewActivity(KINDS["push"], EnvironmentId(SHOP, machine_name(name)), name, None, Trigger("ada", "git"))
        ids.append(activities.enqueue(store.db, new, NOW))
    live, running, ended = ids
    environments.set_live(store.db, EnvironmentId(SHOP, MAIN), live, write_result(version(live, "a")), NOW)
    activities.begin(store.db, live, NOW)
    activities.finish(store.db, live, "success", "", NOW)
    for activity, slug in ((running, "b"), (ended, "c")):
        planned = Planned(version(activity, slug), None, Plan((), ()), ())
        activities.begin(store.db, activity, NOW)
        entries.append(store.db, activity, Entry("read_and_plan", DONE, NOW, write_result(planned)))
    activities.finish(store.db, ended, "failed", "", NOW)
    assert {key[0] for key in await facts.slugs_in_use()} == {"a", "b"}
    assert {key[0] for key in await facts.slugs_in_use(running)} == {"a"}
    store.close()


def test_applications_are_started_after_those_that_they_need() -> None:
    front = "name: front\ntype: python:3.13\nrelationships: {api: 'back:http'}\nweb: {commands: {start: sleep 1}}\n"
    result = read_project(DictTree({
        ".platform/applications.yaml": "- " + front.replace("\n", "\n  ").rstrip() + "\n  source: {root: front}\n"
        "- name: back\n  type: python:3.13\n  source: {root: back}\n  web: {commands: {start: sleep 1}}\n",
        "front/x": "", "back/x": "",
        ".platform/routes.yaml": "https://{default}/: {type: upstream, upstream: 'front:http'}\n",
    }))
    assert result.config is not None, result.errors
    assert [app.name for app in deploy.in_order_of_need(result.config)] == ["back", "front"]


@pytest.mark.looptime
@pytest.mark.parametrize(("switched_before", "waited"), [(None, 0.3), (0.1, 0.2), (5, 0), (-60, 0.3)])
async def test_the_drain_time_begins_with_the_switch(
    doubles: Doubles, switched_before: float | None, waited: float,
) -> None:
    doubles.found = [seen("web", "app", OLD)]
    made = deployment(version(OLD, "a"))
    host = doubles.host
    host.clock = SimpleNamespace(now=lambda: NOW)
    if switched_before is not None:
        entry = Entry("switch", DONE, NOW - timedelta(seconds=switched_before))
        made = replace(made, journal=Journal((*made.journal.entries, entry)))
    began = asyncio.get_running_loop().time()
    await route.retire_old(made, host, QuietTell())  # type: ignore[arg-type]
    assert asyncio.get_running_loop().time() - began == pytest.approx(waited, abs=0.001)


MAGENTO = {
    ".magento.app.yaml": "name: app\ntype: php:8.2\ndisk: 256\nhooks: {build: deployd-magento}\n",
    ".magento/routes.yaml": "https://{default}/: {type: upstream, upstream: 'app:http'}\n",
}


async def test_only_a_recipe_looks_ahead_when_something_is_live_and_the_hook_will_run(doubles: Doubles) -> None:
    tell: Any = QuietTell()
    doubles.files = {".platform.app.yaml": HOOKED}
    assert (await hooks.prepare(deployment(version(OLD, "a")), doubles.host, tell)).apps == ()
    doubles.files = MAGENTO
    assert (await hooks.prepare(deployment(None), doubles.host, tell)).apps == ()
    unhooked = Plan((), (), run_deploy_hook=False)
    assert (await hooks.prepare(deployment(version(OLD, "a"), plan=unhooked), doubles.host, tell)).apps == ()
    assert tell.said == []


@pytest.mark.parametrize("status", [0, 1])
async def test_a_look_ahead_that_fails_is_told_and_ends_nothing(doubles: Doubles, status: int) -> None:
    doubles.files = MAGENTO
    tell: Any = QuietTell()
    traces = doubles.host.places.instance(EnvironmentId(SHOP, MAIN), NEW, "app") / "scripts" / "prepare"
    ended_with(traces, status)
    assert (await hooks.prepare(deployment(version(OLD, "a")), doubles.host, tell)).apps == ("app",)
    assert any("only be known while visitors are held" in line for line in map(str, tell.said)) is bool(status)
