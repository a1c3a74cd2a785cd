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

from deployd.activity.incidents import unwrap
from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.confined.trees import ensure_owner
from deployd.deployment.build_layers import Layers, layers_of
from deployd.deployment.build_quota import empty_cache, ensure_cache_in_bounds, room_watched
from deployd.deployment.build_results import keep_result
from deployd.deployment.deployment import Deployment
from deployd.deployment.desired import build_variables
from deployd.deployment.results import Built
from deployd.deployment.reuse import Entries
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
from deployd.runtimes.known import runtime_of
from deployd.runtimes.paths import build_paths
from deployd.runtimes.runtime import BuildStep
from deployd.runtimes.stages import Segment
from deployd.slugs.errors import DiskFull
from deployd.slugs.layers import ensure_no_tree
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
    await refuse_without_room(host)
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
    await ensure_no_tree(host.places.trees(deployment.id))
    await move_to_trash(host.places.work(deployment.id), host.places.going)


async def remove_build_containers(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Gone already is fine. They have ended with their builds, so no visitor has to wait for Docker to clean up."""
    labels = deployment.names.labels("build", activity=deployment.id)
    await in_parallel(
        host.engine.ensure_container_gone(container.name, stop_seconds=0)
        for container in await host.engine.containers(labels)
    )


async def _build(deployment: Deployment, host: Host, tell: Tell, app: Application) -> None:
    """Build one application, one container after the other; what they made is kept beside the next one's work."""
    layers = layers_of(deployment, host, app)
    if await _is_lost(layers):
        await _forget(layers)
    failure: DeployError | None = None
    try:
        async with asyncio.TaskGroup() as keeping:
            try:
                await _build_segments(layers, app, tell, keeping)
            except DeployError as error:   # what was made before it is kept all the same
                failure = error
    except ExceptionGroup as failed:
        raise unwrap(failed) from None
    if failure is not None:
        raise failure


async def _build_segments(layers: Layers, app: Application, tell: Tell, keeping: asyncio.TaskGroup) -> None:
    host, deployment = layers.host, layers.deployment
    entries: Entries | None = None
    first: Script | None = None
    for segment in layers.segments:
        scripts = _scripts(layers, segment)
        key = layers.key(segment)
        if segment.stage is not None and await _is_taken(layers, segment):
            tell.line(f"{segment.stage.title}: taken over from an earlier build", app=app.name)
            continue
        is_whole = await _run_segment(layers, app, tell, segment, scripts, first)
        first = first or next(iter(scripts), None)
        if key is not None and is_whole:
            entries = entries or await host.code.entries(deployment.project.id, deployment.commit, app.root)
            if entries is not None:
                keeping.create_task(keep_result(layers, segment, entries, tell), name=f"keeping a result of {app.name}")
    await layers.ensure_tree(layers.segments[-1])   # to be packed


async def _is_taken(layers: Layers, segment: Segment) -> bool:
    """Whether a result of an earlier build is there still, as it was planned, and was when this build began."""
    taken = layers.taken_for(segment)
    has_run = await asyncio.to_thread(layers.upper(segment).is_dir)
    return taken is not None and not has_run and await layers.store.has(taken)


async def _run_segment(
    layers: Layers, app: Application, tell: Tell, segment: Segment, scripts: list[Script], first: Script | None,
) -> bool:
    """Run a container of a build to its end. Each step is a script of its own: which one runs is never read out of what
    is printed.

    Returns:
        Whether every step ended with 0.
    """
    host, deployment, steps = layers.host, layers.deployment, segment.steps
    owner, name = deployment.planned.version.uid, _container(layers, segment)
    there = await host.engine.container(name)
    has_ended = await asyncio.to_thread(_has_ended, scripts)   # after the look: what has ended by itself says so
    goes_on = has_ended or there is not None
    folder = host.places.build_scripts(deployment.id, app.name, segment.number)
    for number, (step, script) in enumerate(zip(steps, scripts, strict=True)):
        before = "" if number else segment.before
        await asyncio.to_thread(prepare, folder, script.name, _script(step, before), group=owner)
    if not has_ended:   # else only its story is told: its container may be gone, its workspace is what will be packed
        preparing: list[Coroutine[Any, Any, object]] = []
        if there is None:
            cache = host.places.cache(deployment.project.id, deployment.zone)
            preparing += [_ensure_exported(layers, app, tell), _make_writable(cache, owner)]
        if steps:
            preparing.append(host.engine.ensure_network(build_network(deployment)))
        await in_parallel(preparing)
        if not steps:
            if not layers.are_several:
                tell.line("nothing to run: its files are taken as they are", app=app.name)
            return True
        tree = await layers.ensure_tree(segment)
        there = await host.engine.ensure_container(
            await _build_container(deployment, host, app, name, scripts, tree, segment.number),
        )
    async with room_watched(deployment, host, app.name, name):
        is_whole = await _follow(
            deployment, host, app, name, list(zip(steps, scripts, strict=True)), first or scripts[0],
            partial(tell.program, app=app.name, goes_on=goes_on),
        )
    if there is not None:   # what it left running ends with it: nothing writes into its files while they are packed
        await host.engine.wait_until_dead(there)
    if segment is not layers.segments[-1]:
        await layers.ensure_no_tree(segment)
    return is_whole


async def _is_lost(layers: Layers) -> bool:
    """Whether the host went down under a container of it. What its steps left in memory is gone."""
    for segment in layers.segments:
        begun = layers.host.places.build_scripts(layers.deployment.id, layers.app, segment.number)
        if not await asyncio.to_thread(begun.is_dir):
            continue
        there = await layers.host.engine.container(_container(layers, segment))
        has_ended = await asyncio.to_thread(_has_ended, _scripts(layers, segment))
        if not has_ended and (there is None or not there.running):
            return True
    return False


async def _forget(layers: Layers) -> None:
    """All of a build is run again."""
    for segment in layers.segments:
        await layers.host.engine.ensure_container_gone(_container(layers, segment), stop_seconds=0)
    await ensure_no_tree(layers.host.places.trees(layers.deployment.id) / layers.app)
    await move_to_trash(layers.folder, layers.host.places.going)


def _container(layers: Layers, segment: Segment) -> str:
    part = f"{layers.app}.{segment.number}" if segment.number else layers.app   # no application has a dot in its name
    return layers.deployment.names.container(layers.deployment.id, "build", part)


def _scripts(layers: Layers, segment: Segment) -> list[Script]:
    folder = layers.host.places.build_scripts(layers.deployment.id, layers.app, segment.number)
    return [Script(folder / f"build-{number}") for number in range(len(segment.steps))]


async def _ensure_exported(layers: Layers, app: Application, tell: Tell) -> None:
    """The commit's files, once for a build."""
    whole = layers.folder / "exported"
    if await asyncio.to_thread(whole.exists):
        return
    await _export(layers.deployment, layers.host, tell, app, layers.workspace)
    await asyncio.to_thread(whole.touch)


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
    first: Script, begin: Callable[[str], Awaitable[Callable[[str], None]]],
) -> bool:
    """Tell every step of a container to its end. Gives whether each ended with 0.

    Args:
        first: Of the whole build; its time counts from there on.
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

        spent = await asyncio.to_thread(_spent_seconds, first, script)
        try:
            status = await runner.follow(
                script, on_line, limit_seconds=host.settings.build.limit_seconds - spent,
            )
        except (ScriptLost, ScriptOverran) as error:
            error.where = where
            raise
        if status != 0 and step.may_fail:
            say(f"it ended with exit code {status}, and the hook goes on: it does not begin with `set -e`")
            return False
        if status != 0:
            full = await memory_full(host, container, status, host.settings.build.memory_mb)
            hint = "mend the command that failed and push again; nothing was changed, visitors see what they saw before"
            raise BuildFailed(
                f"{step.title} of {app.name} ended with exit code {status}{full}{instead_of(host.catalogue, app)}",
                where=where,
                evidence=tuple(recent),
                hint=hint_memory(hint, full, "`build.memory_mb` in the operator's settings"),
            )
    return True


def _spent_seconds(first: Script, script: Script) -> float:
    """By the steps before a script."""
    return age_seconds(first) - age_seconds(script)


def _script(step: BuildStep, before: str = "") -> str:
    """In a subshell: whatever it sets or leaves, its status is the script's."""
    return f"cd {APP_FOLDER} && (\n{before}{step.script}\n)\n"


def build_network(deployment: Deployment) -> NetworkSpec:
    """One for all builds, in which they see the Internet and not each other."""
    labels = instance_labels(deployment.instance, role="network")
    name = f"{deployment.instance}-builds"
    return NetworkSpec(name, "", labels, apart=True, bridge=bridge_name(deployment.instance, name, ""))


async def _build_container(
    deployment: Deployment, host: Host, app: Application, name: str, scripts: list[Script], tree: Path, segment: int,
) -> ContainerSpec:
    version = deployment.planned.version.app(app.name)
    assert version is not None, app.name
    folder = host.places.build_scripts(deployment.id, app.name, segment)
    owned = f"uid={deployment.planned.version.uid},gid={deployment.planned.version.uid}"
    about = About(
        deployment.project.id, await host.facts.entropy(deployment.project.id), deployment.environment.name,
        deployment.branch, deployment.type, version.tree,
    )
    seen = await host.facts.with_variables(
        deployment.project, deployment.branch, deployment.planned.version.variables,
    )
    values = build_environment(app, about, build_variables(seen, app, deployment.branch))
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
            Bind(str(tree), APP_FOLDER),
            Bind(str(host.places.cache(deployment.project.id, deployment.zone)), CACHE_FOLDER),
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


async def refuse_without_room(host: Host) -> None:
    """What a build before has left may still be on its way to be removed: that is waited for.

    Raises:
        DiskFull: Too little is free.
    """
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
