"""Deployments without a daemon around them: the real Engine, router, git and database, one table at a time.

A test hands in the table of steps, with something wrong in it, and then looks at the world.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from deployd.activity.admission import BUILDS, DEPLOYMENTS
from deployd.activity.cancellation import Cancellation
from deployd.activity.follower import endings
from deployd.activity.journal import CANCELLATION, Journal
from deployd.activity.journal_store import StateJournal
from deployd.activity.limits import Limits
from deployd.activity.log import Logs
from deployd.activity.machine import Finish
from deployd.activity.runner import Run, run
from deployd.activity.slots import Slots
from deployd.activity.table import Step, Table
from deployd.catalogue import load_catalogue
from deployd.daemon.composition import host_of
from deployd.daemon.resources import Resources, open_resources
from deployd.deployment.deployment import Deployment
from deployd.deployment.kinds import KINDS
from deployd.deployment.steps import PUSH
from deployd.engine.names import instance_labels
from deployd.environment.naming import machine_name
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId
from deployd.process import run as run_program
from deployd.release.ports import Host
from deployd.settings import load_settings
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from scripts.git_push import git_environment
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, mounts_below, remove_all
from scripts.repository import commit, make_repository
from tests.support.developer import SERVER

PROJECT = ProjectId("steps")
APP = """\
name: app
type: python:3.13
relationships:
  cache: "store:redis"
web:
  commands:
    start: python3 server.py
workers:
  mailer:
    commands:
      start: sleep 1000
mounts:
  data:
    source: local
    source_path: data
hooks:
  build: |
    cat text > built
  deploy: |
    echo deploy >> data/ran
  post_deploy: |
    echo post >> data/ran
"""
SERVICES = "store:\n  type: redis-persistent:8.0\n  disk: 256\n"
FILES = {
    ".platform.app.yaml": APP, ".platform/services.yaml": SERVICES, "text": "first",
    "server.py": SERVER.replace("/app/text", "/app/built"),
}
World = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    activity: ActivityId
    end: Finish
    journal: Journal


@dataclass
class Stand:
    """One project with all that deployments need."""

    daemon: LocalDaemon
    resources: Resources
    host: Host
    tree: Path

    async def write(self, files: Mapping[str, str]) -> CommitId:
        """Commit files and have the commit in the project's mirror."""
        for name, text in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)
        made = await commit(self.tree, "A change", allow_empty=True)
        mirror = await self.host.code.path(self.host.settings.projects[PROJECT])  # type: ignore[attr-defined]
        await run_program(
            "git", "--git-dir", str(mirror), "fetch", "--quiet", str(self.tree), "+main:refs/heads/main",
            env=git_environment(),
        )
        return CommitId(made)

    async def deploy(
        self, what: CommitId, table: Table[Any, Any] = PUSH, *, branch: str = "main",
        cancellation: Cancellation | None = None, kind: str = "push", to: ActivityId | None = None,
    ) -> Ended:
        """Carry one activity to its end.

        Args:
            to: Where a rollback goes.
        """
        store, clock, name = self.resources.store, self.resources.clock, machine_name(branch)
        new = NewActivity(KINDS[kind], EnvironmentId(PROJECT, name), branch, what, Trigger("ada", "git", to=to))
        number = await store.write(lambda db: activities.enqueue(db, new, clock.now()))
        await store.write(lambda db: activities.begin(db, number, clock.now()))
        await store.write(lambda db: environments.ensure(db, EnvironmentId(PROJECT, name), branch, clock.now()))
        activity = await store.read(lambda db: activities.find(db, number))
        assert activity is not None
        journal = StateJournal(store, number, clock)
        tell = Logs(self.host.places.logs, clock, self.resources.masker, endings(store)).open(number)
        try:
            end = await run(Run(
                activity, table, self.host, partial(KINDS[kind].view, self.host), journal,
                cancellation or Cancellation(), tell, Limits({BUILDS: Slots(2), DEPLOYMENTS: Slots(2)}), clock,
            ))
        finally:
            tell.close()
        await store.write(lambda db: activities.finish(db, number, end.state, end.reason, clock.now()))
        return Ended(number, end, await journal.read())

    async def page(self, branch: str = "main") -> tuple[int, str]:
        """What a visitor gets through the router."""
        url = URL(self.daemon.url(PROJECT, branch))
        async with aiohttp.ClientSession() as session, session.get(
            url.with_host("127.0.0.1"), headers={"Host": url.authority},
        ) as answer:
            return answer.status, (await answer.text() if answer.status == 200 else "")

    async def world(self, branch: str = "main") -> World:
        """What there is in Docker, in the router, among the mounts and on the disk."""
        engine, labels = self.host.engine, instance_labels(self.host.settings.instance)
        state = self.host.settings.state
        name = machine_name(branch)
        live = await self.host.facts.live(EnvironmentId(PROJECT, name))
        files = [*state.glob("work/*"), *state.glob("environments/*/*"), *state.glob("environments/*/*/*/*")]
        return {
            "containers": {
                seen.name: (seen.running, seen.image) for seen in await engine.containers(labels)
            },
            "volumes": sorted(seen.name for seen in await engine.volumes(labels)),
            "networks": sorted(seen.name for seen in await engine.networks(labels)),
            "mounts": mounts_below(self.daemon.directory),
            "files": sorted(str(path.relative_to(state)) for path in files),
            "router": await self.host.router.look(f"{PROJECT}/{name}"),
            "live": live and live.activity,
        }

    def told(self, ended: Ended) -> str:
        """The log of an activity, as it lies on the disk."""
        return (self.host.places.logs / f"{ended.activity}.jsonl").read_text()

    def ran(self, branch: str = "main") -> list[str]:
        """Which hooks ran in the environment, as they wrote it down themselves."""
        file = self.host.places.data(EnvironmentId(PROJECT, machine_name(branch))) / "app" / "data" / "ran"
        return file.read_text().split() if file.exists() else []


def own_part(world: World, branch: str, activity: ActivityId) -> list[str]:
    """What of a world belongs to one environment, without its name and number: to be compared with another's."""
    name = machine_name(branch)
    found = [*world["containers"], *world["volumes"], *world["networks"], *world["files"]]
    return sorted(
        re.sub(rf"(?<=[-/]){activity}\b", "N", item.replace(name, "ENVIRONMENT")) for item in found if name in item
    )


def with_step(table: Table[Any, Any], name: str, wrap: Callable[[Any], Any]) -> Table[Any, Any]:
    """The same table, with another way to do one step."""
    return replace(table, steps=tuple(
        replace(step, do=functools.wraps(step.do)(wrap(step.do))) if step.name == name else step
        for step in table.steps
    ))


def with_parallel(table: Table[Any, Any], name: str, wrap: Callable[[Any], Any]) -> Table[Any, Any]:
    """The same table, with another way to do what goes beside one step."""
    def changed(step: Step) -> Step:
        other = step.parallel
        assert other is not None
        return replace(step, parallel=replace(other, do=functools.wraps(other.do)(wrap(other.do))))
    return replace(table, steps=tuple(changed(step) if step.name == name else step for step in table.steps))


def raising(error: Exception, *, late: bool) -> Callable[[Any], Any]:
    """A step that fails once it has done its work, or before it began."""
    def wrap(do: Callable[..., Awaitable[Any]]) -> Any:
        async def failing(*arguments: Any) -> Any:
            if late:
                await do(*arguments)
            raise error
        return failing
    return wrap


def cancelled_in(stand: Stand, cancellation: Cancellation) -> Callable[[Any], Any]:
    """A step in which a person's cancel comes, when its work is done and its end is not written yet."""
    def wrap(do: Callable[..., Awaitable[Any]]) -> Any:
        async def cancelled(view: Deployment, host: Any, tell: Any) -> Any:
            await do(view, host, tell)
            await StateJournal(stand.resources.store, view.id, stand.resources.clock).write(
                "", CANCELLATION, result="cancelled", said="cancelled by ada",
            )
            cancellation.request()
            await asyncio.sleep(60)
        return cancelled
    return wrap


def twice(do: Callable[..., Awaitable[Any]]) -> Any:
    """A step, or its undo, that runs two times."""
    @functools.wraps(do)
    async def both(*arguments: Any) -> Any:
        await do(*arguments)
        return await do(*arguments)
    return both


def done_twice(step: Step) -> Step:
    """The step, and what goes beside it, each done two times."""
    other = step.parallel
    return replace(step, do=twice(step.do), parallel=other and replace(other, do=twice(other.do)))


def undone_twice(step: Step) -> Step:
    return replace(
        step, undone_by=twice(step.undone_by),
        parallel=step.parallel and replace(step.parallel, undone_by=twice(step.parallel.undone_by)),
    )


@asynccontextmanager
async def deployment_stand(directory: Path, **settings_of_daemon: Any) -> AsyncIterator[Stand]:
    daemon = LocalDaemon(directory, {PROJECT: {}}, instance=f"test-steps-{os.urandom(3).hex()}",
                         settings={"answer_seconds": 8, **settings_of_daemon})
    daemon.write_settings()
    settings = load_settings(daemon.settings_file)
    catalogue = load_catalogue(settings.catalogue_path)
    try:
        async with AsyncExitStack() as stack:
            resources = await open_resources(stack, settings, catalogue)
            await resources.router.complete()
            tree = directory / "tree"
            await _first(tree)
            yield Stand(daemon, resources, host_of(resources, settings, catalogue), tree)
    finally:
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


async def _first(tree: Path) -> None:
    source = tree.with_name("source")
    source.mkdir()
    (source / "README").write_text("steps\n")
    await make_repository(tree, source)
