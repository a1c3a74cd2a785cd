"""A source operation: a command of an application's file that changes the code of its branch.

    tip of the branch ─► clone ─► the command of each application that has one, in what builds run in
                                        └─► a pack of what it committed ─► mirror ─► the branch moves ─► a push

It runs as a build does, without services or mounts, with what builds see of variables, and in a clone of its own that
nobody trusts afterwards (`git/clones.py`). Whether the new commit can be deployed is asked before the branch moves. It
is deployed by an activity of its own, which comes to be in the transaction in which this one ends.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from deployd.activity.kinds import Kind, Progress
from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.deployment.build import build_network, refuse_without_room
from deployd.deployment.build_quota import ensure_cache_in_bounds, room_watched
from deployd.deployment.deployment import Deployment
from deployd.deployment.source_container import (
    OWN_FOLDER,
    container_name,
    container_of,
    make_cache,
    make_out,
    scripts_of,
    source_folder,
)
from deployd.deployment.source_result import commit_left, copy_of_pack
from deployd.engine.script import Script, prepare
from deployd.engine.script_runner import ScriptRunner
from deployd.errors import DeployError
from deployd.ids import CommitId
from deployd.project.model import Application
from deployd.release.configuration import config_of
from deployd.release.ports import Host
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.state.rests import INACTIVE

EVIDENCE_LINES = 20


class SourceOperationGone(DeployError):
    """The branch, or the operation, is not there any more."""

    code: ClassVar[str] = "source-operation-gone"


class SourceOperationFailed(DeployError):
    """Its command ended with another status than 0, or left nothing that could be pushed."""

    code: ClassVar[str] = "source-operation-failed"


class SourceProtected(DeployError):
    """A protected environment takes what is merged, and nothing that is made in it."""

    code: ClassVar[str] = "source-protected"


@dataclass(frozen=True, slots=True)
class Cloned:
    commit: CommitId
    """Of the branch, when it was cloned."""
    apps: tuple[tuple[str, str], ...]
    """(application, image) of those that have the operation, in order."""
    uid: int


@dataclass(frozen=True, slots=True)
class Pushed:
    commit: CommitId | None
    """None: it changed nothing."""


async def clone_source(deployment: Deployment, host: Host, tell: Tell) -> Cloned:
    """Find what is to be run, and have a clone for it.

    Raises:
        SourceProtected, SourceOperationGone, ConfigurationRefused: There is nothing that could be run.
        DiskFull: There is not room enough to begin.
    """
    refuse_protected(deployment)
    await refuse_without_room(host)
    project, name = deployment.project, deployment.activity.trigger.operation
    await host.code.fetch(project)
    tip = await host.code.tip(project.id, deployment.branch)
    if tip is None:
        raise SourceOperationGone(f"there is no branch {deployment.branch} in the repository", hint="push it first")
    config = await config_of(project, tip, host)
    uid = await host.facts.uid(project.id)
    apps = []
    for app in config.applications:
        if name in app.source_operations:
            nearest = host.settings.takes_nearest(project)
            choice = host.catalogue.runtime(app.runtime_name, app.version, nearest=nearest)
            apps.append((app.name, await host.images.ensure(choice.entry, tell.line)))
    if not apps:
        raise SourceOperationGone(f"no application of {deployment.branch} has a source operation {name}")
    clone = source_folder(deployment, host) / "app"
    await move_to_trash(clone, host.places.going)   # of a daemon that died in the middle
    await asyncio.to_thread(clone.parent.mkdir, parents=True, exist_ok=True)
    commit = await host.code.clone(project, deployment.branch, clone, uid)
    await asyncio.to_thread(make_out, source_folder(deployment, host), uid)
    tell.line(f"{deployment.branch} at {commit[:8]}")
    return Cloned(commit, tuple(apps), uid)


async def run_source_operation(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Run its command for each application that has one, one after the other.

    Raises:
        SourceOperationFailed: One ended with another status than 0.
        BuildTooLarge: One wrote more than a build may.
    """
    cloned = deployment.journal.result("clone_source", Cloned)
    config = await config_of(deployment.project, cloned.commit, host)
    await ensure_cache_in_bounds(deployment, host, tell)
    for number, (name, image) in enumerate(cloned.apps):
        app = config.application(name)
        assert app is not None, name
        await _run(deployment, host, tell, app, image, cloned, is_first=number == 0)


async def discard_source(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: what runs is ended, and the clone goes. The branch is where it was."""
    await _remove_containers(deployment, host)
    await move_to_trash(host.places.work(deployment.id), host.places.going)


async def push_source(deployment: Deployment, host: Host, tell: Tell) -> Pushed:
    """Have the branch at what was committed, if that can be deployed.

    Raises:
        SourceProtected: It is protected by now.
        PackRefused, SourceOperationFailed: What was left cannot be taken.
        ConfigurationRefused: It cannot be deployed.
        BranchMoved, PushRefused: The branch is not where it was, or the forge takes nothing.
    """
    refuse_protected(deployment)
    project, cloned = deployment.project, deployment.journal.result("clone_source", Cloned)
    folder = source_folder(deployment, host)
    new = await asyncio.to_thread(commit_left, folder)
    if new is None or new == cloned.commit:
        tell.line("nothing was committed: the branch stays as it is")
        return Pushed(None)
    pack = await asyncio.to_thread(copy_of_pack, folder)
    if pack is not None:
        await host.code.take_pack(project.id, pack, new)
    elif not await host.code.holds(project.id, new, cloned.commit):
        raise SourceOperationFailed(
            f"the operation left the branch at {new[:8]}, which nobody has", hint="see what it does to `.git`",
        )
    about = await host.code.about(project.id, new)
    await config_of(project, new, host)   # it may not be what could be deployed: then the branch does not get it
    await host.code.move_branch(project, deployment.branch, new, cloned.commit)
    where = "the forge" if project.remote is not None else "the repository"
    tell.line(f"{new[:8]} {about.subject} ({about.author}): {deployment.branch} of {where} is there now")
    return Pushed(new)


async def clear_source(deployment: Deployment, host: Host, tell: Tell) -> None:
    """The clone goes, and what ran."""
    await discard_source(deployment, host, tell)


def deploy_source(
    push: Kind[Any, Any], db: sqlite3.Connection, progress: Progress, now: datetime,
) -> str:
    """What was committed is deployed as any push; in the transaction in which the operation ends.

    Args:
        push: The kind of a push.
    """
    activity = progress.activity
    try:
        made = progress.journal.result("push_source", Pushed)
    except LookupError:
        return ""
    there = environments.find(db, activity.environment)
    if made.commit is None or there is None:
        return ""
    if there.rest == INACTIVE:
        return f"; {made.commit[:8]} is stored: the environment is inactive"
    trigger = Trigger(activity.trigger.who, "api", said=f"source operation {activity.trigger.operation}")
    number = activities.enqueue(db, NewActivity(push, activity.environment, activity.branch, made.commit, trigger), now)
    return f"; activity {number} deploys {made.commit[:8]}"


def refuse_protected(deployment: Deployment) -> None:
    """
    Raises:
        SourceProtected: It is.
    """
    if deployment.is_protected:
        raise protected(deployment.branch, deployment.project.source_of(deployment.branch))


def protected(branch: str, source: str) -> SourceProtected:
    return SourceProtected(
        f"{branch} is protected: it takes commits of {source}, and none that are made in it",
        hint=f"run the operation on {source}, and promote what it makes",
    )


async def _run(
    deployment: Deployment, host: Host, tell: Tell, app: Application, image: str, cloned: Cloned, *, is_first: bool,
) -> None:
    name, folder = container_name(deployment, app.name), host.places.build_scripts(deployment.id, app.name)
    texts = scripts_of(deployment, app, cloned.commit, is_first=is_first)
    scripts = [
        await asyncio.to_thread(prepare, folder, key, text, group=cloned.uid) for key, text in texts.items()
    ]
    there = await host.engine.container(name)
    goes_on = there is not None
    if there is None:
        await asyncio.to_thread(make_cache, host.places.cache(deployment.project.id, deployment.zone), cloned.uid)
        await host.engine.ensure_network(build_network(deployment))
        there = await host.engine.ensure_container(
            await container_of(deployment, host, app, image, (cloned.commit, cloned.uid), scripts))
    async with room_watched(deployment, host, app.name, name, beside=OWN_FOLDER):
        await _follow(
            deployment, host, app.name, ScriptRunner(host.engine, name, f"{cloned.uid}:{cloned.uid}"), scripts,
            partial(tell.program, app=app.name, goes_on=goes_on),
        )
    await host.engine.wait_until_dead(there)   # nothing writes while what it made is read


async def _follow(
    deployment: Deployment, host: Host, app: str, runner: ScriptRunner, scripts: Sequence[Script],
    begin: Callable[[str], Awaitable[Callable[[str], None]]],
) -> None:
    operation = deployment.activity.trigger.operation
    titles = {"checkout": "checkout", "operation": f"source operation {operation}", "collect": "what it committed"}
    for script in scripts:
        say = await begin(titles[script.name])
        recent: list[str] = []

        def on_line(text: str, recent: list[str] = recent, say: Any = say) -> None:
            recent.append(text)
            del recent[:-EVIDENCE_LINES]
            say(text)

        status = await runner.follow(script, on_line, limit_seconds=host.settings.build.limit_seconds)
        if status != 0:
            raise SourceOperationFailed(
                f"{titles[script.name]} of {app} ended with exit code {status}", evidence=tuple(recent),
                hint="mend the command in the application's file; the branch is as it was",
            )


async def _remove_containers(deployment: Deployment, host: Host) -> None:
    for item in await host.engine.containers(deployment.names.labels("build", activity=deployment.id)):
        await host.engine.ensure_container_gone(item.name, stop_seconds=0)
