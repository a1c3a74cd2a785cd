"""Phase 2: each application whose inputs changed is built in a container of its own.

The build sees its code, a cache folder and the Internet; no service, no mount, no other environment, and none of the
environment's secrets but variables that are visible in a build.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.confined.trees import ensure_owner
from deployd.deployment.build_quota import empty_cache, ensure_cache_in_bounds, room_watched
from deployd.deployment.deployment import Deployment
from deployd.deployment.desired import build_variables
from deployd.deployment.results import Built
from deployd.engine.errors import ScriptLost, ScriptOverran
from deployd.engine.names import bridge_name, instance_labels
from deployd.engine.script import SCRIPTS_FOLDER, Script, age_seconds, prepare, read_status
from deployd.engine.script_runner import ScriptRunner
from deployd.engine.script_wrapper import wrapper_command
from deployd.engine.specs import Bind, ContainerSpec, Network, NetworkSpec
from deployd.engine.trust import STORE
from deployd.environment.platform import APP_FOLDER, CACHE_FOLDER, About, build_environment, merged_environment
from deployd.errors import DeployError
from deployd.project.model import Application
from deployd.release.applications.kernel_limits import refuse_too_large
from deployd.release.configuration import read_config
from deployd.release.identity import ensure_identity, identity_binds
from deployd.release.images_missing import instead_of
from deployd.release.out_of_memory import hint_memory, memory_full
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.trust import VARIABLES, trust_binds
from deployd.runtimes.build_steps import BuildStep, build_steps
from deployd.runtimes.known import runtime_of
from deployd.runtimes.paths import build_paths
from deployd.slugs.errors import DiskFull
from deployd.units import MEGABYTE

GOING_SECONDS, LOOK_SECONDS = 120.0, 0.25
"""How long a build waits for room that is being made."""


class BuildFailed(DeployError):
    """A command of a build ended with a status other than 0."""

    code: ClassVar[str] = "build-failed"


async def build_apps(deployment: Deployment, host: Host, tell: Tell) -> Built:
    """Build every application that the plan names, one after the other; log lines carry the application's name.

    Raises:
        BuildFailed: Dependencies, flavor or build hook of an application failed.
        DiskFull: There is not room enough to begin.
    """
    planned = [app for app in deployment.planned.plan.apps if app.action == "build"]
    if not planned:
        tell.line("nothing to build: every slug is there")
        return Built(())
    await _refuse_without_room(host)
    if deployment.activity.trigger.anew:
        await empty_cache(deployment, host, tell)
    await ensure_cache_in_bounds(deployment, host, tell)
    config = await read_config(deployment.release, host)
    for item in planned:
        app = config.application(item.name)
        assert app is not None, item
        await _build(deployment, host, tell, app)
    return Built(tuple(item.name for item in planned))


async def discard(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of a build: its containers and its workspaces go."""
    await remove_build_containers(deployment, host, tell)
    await move_to_trash(host.places.work(deployment.id), host.places.going)


async def remove_build_containers(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Gone already is fine. They have ended with their builds, so no visitor has to wait for Docker to clean up."""
    labels = deployment.names.labels("build", activity=deployment.id)
    await in_parallel(
        host.engine.ensure_container_gone(container.name, stop_seconds=0)
        for container in await host.engine.containers(labels)
    )


async def _build(deployment: Deployment, host: Host, tell: Tell, app: Application) -> None:
    """Build one application. Each step is a script of its own: which one runs is never read out of what is printed."""
    steps = build_steps(app)
    name = deployment.names.container(deployment.id, "build", app.name)
    folder, owner = host.places.build_scripts(deployment.id, app.name), deployment.planned.version.uid
    scripts = [Script(folder / f"build-{number}") for number in range(len(steps))]
    there = await host.engine.container(name)
    has_ended = await asyncio.to_thread(_has_ended, scripts)   # after the look: what has ended by itself says so
    if not has_ended and (there is None or not there.running):
        # The host went down under it. What its steps left in memory is gone, so all of them are run again.
        await host.engine.ensure_container_gone(name, stop_seconds=0)
        await move_to_trash(folder.parent, host.places.going)
        there = None
    goes_on = has_ended or there is not None
    for step, script in zip(steps, scripts, strict=True):
        await asyncio.to_thread(prepare, folder, script.name, _script(step), group=owner)
    if not has_ended:   # else only its story is told: its container may be gone, its workspace is what will be packed
        preparing: list[Coroutine[Any, Any, object]] = []
        if there is None:
            workspace = host.places.workspace(deployment.id, app.name)
            preparing += [
                _export(deployment, host, tell, app, workspace),
                _make_writable(host.places.cache(deployment.project.id), owner),
            ]
        if steps:
            preparing.append(host.engine.ensure_network(build_network(deployment)))
        await in_parallel(preparing)
        if not steps:
            tell.line("nothing to run: its files are taken as they are", app=app.name)
            return
        there = await host.engine.ensure_container(await _build_container(deployment, host, app, name, scripts))
    async with room_watched(deployment, host, app.name, name):
        await _follow(
            deployment, host, app, name, list(zip(steps, scripts, strict=True)),
            partial(tell.program, app=app.name, goes_on=goes_on),
        )
    if there is not None:   # what it left running ends with it: nothing writes into its files while they are packed
        await host.engine.wait_until_dead(there)


async def _export(deployment: Deployment, host: Host, tell: Tell, app: Application, workspace: Path) -> None:
    owner = deployment.planned.version.uid
    for note in await host.code.export(deployment.project, deployment.commit, app.root, workspace, owner):
        tell.warn(note)


def _has_ended(scripts: list[Script]) -> bool:
    """Whether one of them failed, or the last one is done."""
    statuses = [read_status(script) for script in scripts]
    return any(statuses) or statuses[-1:] == [0]


async def _follow(
    deployment: Deployment, host: Host, app: Application, container: str, steps: list[tuple[BuildStep, Script]],
    begin: Callable[[str], Awaitable[Callable[[str], None]]],
) -> None:
    """Tell every step of a build to its end.

    Args:
        begin: Told the title of a step, it gives what takes its lines.

    Raises:
        BuildFailed: One ended with another status than 0; those after it did not run.
    """
    runner = ScriptRunner(host.engine, container, deployment.user)
    for step, script in steps:
        say = await begin(step.title)
        place = step.place or app.place
        where = f"{place.file}:{place.line}" if place.line else place.file
        recent: list[str] = []

        def on_line(text: str, recent: list[str] = recent, say: Callable[[str], None] = say) -> None:
            recent.append(text)
            del recent[:-20]
            say(text)

        spent = await asyncio.to_thread(_spent_seconds, steps[0][1], script)
        try:
            status = await runner.follow(
                script, on_line, limit_seconds=host.settings.build.limit_seconds - spent,
            )
        except (ScriptLost, ScriptOverran) as error:
            error.where = where
            raise
        if status != 0:
            full = await memory_full(host, container, status, host.settings.build.memory_mb)
            hint = "mend the command that failed and push again; nothing was changed, visitors see what they saw before"
            raise BuildFailed(
                f"{step.title} of {app.name} ended with exit code {status}{full}{instead_of(host.catalogue, app)}",
                where=where,
                evidence=tuple(recent),
                hint=hint_memory(hint, full, "`build.memory_mb` in the operator's settings"),
            )


def _spent_seconds(first: Script, script: Script) -> float:
    """By the steps before a script."""
    return age_seconds(first) - age_seconds(script)


def _script(step: BuildStep) -> str:
    """In a subshell: whatever it sets or leaves, its status is the script's."""
    return f"cd {APP_FOLDER} && (\n{step.script}\n)\n"


def build_network(deployment: Deployment) -> NetworkSpec:
    """One for all builds, in which they see the Internet and not each other."""
    labels = instance_labels(deployment.instance, role="network")
    name = f"{deployment.instance}-builds"
    return NetworkSpec(name, "", labels, apart=True, bridge=bridge_name(deployment.instance, name, ""))


async def _build_container(
    deployment: Deployment, host: Host, app: Application, name: str, scripts: list[Script],
) -> ContainerSpec:
    version = deployment.planned.version.app(app.name)
    assert version is not None, app.name
    folder = host.places.build_scripts(deployment.id, app.name)
    owned = f"uid={deployment.planned.version.uid},gid={deployment.planned.version.uid}"
    about = About(
        deployment.project.id, await host.facts.entropy(deployment.project.id), deployment.environment.name,
        deployment.branch, deployment.type, version.tree,
    )
    values = build_environment(app, about, build_variables(deployment.project, app, deployment.branch))
    refuse_too_large(f"the build of {app.name}", values, app.place)
    trust = host.settings.build.trust_store == "host" and await asyncio.to_thread(STORE.is_file)
    certificates = dict.fromkeys(VARIABLES, str(STORE)) if trust else {}
    return ContainerSpec(
        name=name,
        image=version.image_id,
        labels=deployment.names.labels("build", app.name, deployment.id),
        entrypoint=(),
        command=wrapper_command(*scripts),
        environment=merged_environment({**certificates, **build_paths(app, deployment.environment.name)}, values),
        user=deployment.user,
        working_folder=APP_FOLDER,
        network=Network(build_network(deployment).name),
        binds=(
            Bind(str(host.places.workspace(deployment.id, app.name)), APP_FOLDER),
            Bind(str(host.places.cache(deployment.project.id)), CACHE_FOLDER),
            Bind(str(folder), SCRIPTS_FOLDER),
            *identity_binds(await ensure_identity(folder.parent, deployment.planned.version.uid)),
            *await trust_binds(host.settings.state, STORE if trust else None, runtime_of(app)),
        ),
        tmpfs={
            "/tmp": "rw,exec,nosuid,nodev,size=4g,mode=1777",
            "/run": f"rw,nosuid,nodev,size=64m,{owned}",
            "/home/web": f"rw,exec,nosuid,nodev,size=2g,{owned}",
        },
        memory_bytes=host.settings.build.memory_mb * MEGABYTE,
        cpus=host.settings.build.cpus,
    )


async def _make_writable(folder: Path, owner: int) -> None:
    """Have a folder that builds write into. Several may ask for the same one at once."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await ensure_owner(folder, owner)


async def _refuse_without_room(host: Host) -> None:
    """What a build before has left may still be on its way to be removed: that is waited for."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (free_mb := _free_mb(host.places.state)) < host.settings.min_free_disk_mb:
        goes = await asyncio.to_thread(lambda: any(host.places.going.glob("*")))
        if not goes or loop.time() - began > GOING_SECONDS:
            raise DiskFull(
                f"cannot build: only {free_mb} of {host.settings.min_free_disk_mb} MB are free at {host.places.state}",
                hint="make room on the disk, or lower min_free_disk_mb; nothing was changed",
            )
        await asyncio.sleep(LOOK_SECONDS)


def _free_mb(folder: Path) -> int:
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize // MEGABYTE
