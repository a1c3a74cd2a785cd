"""Phase 2: each application whose inputs changed is built in a container of its own.

The build sees its code, a cache folder and the Internet; no service, no mount, no other environment, and none of the
environment's secrets but variables that are visible in a build.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.deployment.build_room import ensure_cache_in_bounds, room_watched
from deployd.deployment.containers import APP_UID, APP_USER, MEGABYTE, SCRIPTS_FOLDER
from deployd.deployment.disk_use import ensure_tree_gone
from deployd.deployment.host import Host
from deployd.deployment.memory_full import memory_full, mend_memory
from deployd.deployment.process_environment import merged_environment
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.view import Deployment
from deployd.deployment.wanted import build_variables
from deployd.engine.errors import ScriptLost, ScriptOverran
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PROJECT, ROLE
from deployd.engine.script import Script, follow, is_lost, prepare, read_status, wrapper_command
from deployd.engine.specs import Bind, ContainerSpec, NetworkSpec
from deployd.environment.platform import APP_FOLDER, CACHE_FOLDER, About, build_environment
from deployd.errors import DeployError
from deployd.plan import PlannedApp
from deployd.project.model import Application
from deployd.recipes.build_steps import BuildStep, build_steps
from deployd.recipes.paths import build_paths
from deployd.slugs.errors import DiskFull

MARK = "::deployd-step::"
"""Begins the lines by which the build script says which step it is at; people never see them."""
HOST_TRUST_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
TRUST_VARIABLES = (
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
)


class BuildFailed(DeployError):
    """A command of a build ended with a status other than 0."""

    code: ClassVar[str] = "build-failed"


@dataclass(frozen=True, slots=True)
class Built:
    apps: tuple[str, ...]


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
    _refuse_without_room(host)
    await ensure_cache_in_bounds(deployment, host, tell)
    config = await read_config(deployment, host)
    for item in planned:
        app = config.application(item.name)
        assert app is not None, item
        await _build(deployment, host, tell, app, item)
    return Built(tuple(item.name for item in planned))


async def discard(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of a build: its containers and its workspaces go."""
    await remove_build_containers(deployment, host, tell)
    await ensure_tree_gone(host.places.work(deployment.id))


async def remove_build_containers(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Gone already is fine. They have ended with their builds, so no visitor has to wait for Docker to clean up."""
    labels = {
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
        ACTIVITY: str(deployment.id), ROLE: "build",
    }
    await together(
        host.engine.ensure_container_gone(container.name, stop_seconds=0)
        for container in await host.engine.containers(labels)
    )


async def _build(deployment: Deployment, host: Host, tell: Tell, app: Application, planned: PlannedApp) -> None:
    steps = build_steps(app)
    name = deployment.names.container(deployment.id, "build", app.name)
    folder = host.places.build_scripts(deployment.id, app.name)
    if await asyncio.to_thread(is_lost, Script(folder / "build")):   # the host went down under it
        await host.engine.ensure_container_gone(name, stop_seconds=0)
        await asyncio.to_thread(shutil.rmtree, folder.parent)
    script = prepare(folder, "build", _script(steps))
    if await asyncio.to_thread(read_status, script) is not None:
        # It has ended: only its story is told. Its container may be gone, and its workspace is what will be packed.
        there = await host.engine.container(name)
    else:
        if await host.engine.container(name) is None:
            workspace = host.places.workspace(deployment.id, app.name)
            await host.code.export(deployment.project.id, deployment.commit, app.root, workspace, APP_UID)
            await asyncio.to_thread(_make_writable, host.places.cache(deployment.project.id))
        if not steps:
            tell.line("nothing to run: its files are taken as they are", app=app.name)
            return
        await host.engine.ensure_network(build_network(deployment))
        # A daemon before us may have made the container, and not have started it. Started twice, the wrapper refuses.
        there = await host.engine.ensure_container(await _build_container(deployment, host, app, name, script))
    async with room_watched(deployment, host, app.name, name):
        await _follow(host, tell, app, steps, name, script)
    if there is not None:   # what it left running ends with it: nothing writes into its files while they are packed
        await host.engine.wait_until_dead(there)


async def _follow(
    host: Host, tell: Tell, app: Application, steps: tuple[BuildStep, ...], container: str, script: Script,
) -> None:
    current = steps[0]
    recent: list[str] = []

    def on_line(text: str) -> None:
        nonlocal current
        if text.startswith(MARK):
            current = steps[int(text.removeprefix(MARK))]
            tell.line(current.title, app=app.name)
            recent.clear()
            return
        recent.append(text)
        del recent[:-20]
        tell.line(text, app=app.name, stream="output")

    def where() -> str:
        place = current.place or app.place
        return f"{place.file}:{place.line}" if place.line else place.file

    try:
        status = await follow(script, on_line, host.engine, container, limit_seconds=host.settings.build.limit_seconds)
    except (ScriptLost, ScriptOverran) as error:
        error.where, error.evidence = where(), tuple(recent)   # without our own marks
        raise
    if status != 0:
        full = await memory_full(host, container, status, host.settings.build.memory_mb)
        mend = "mend the command that failed and push again; nothing was changed, visitors see what they saw before"
        raise BuildFailed(
            f"{current.title} of {app.name} ended with exit code {status}{full}",
            where=where(),
            evidence=tuple(recent),
            mend=mend_memory(mend, full, "`build.memory_mb` in the operator's settings"),
        )


def _script(steps: tuple[BuildStep, ...]) -> str:
    """One script for all steps: each in a shell of its own, the first that fails ends the build with its status."""
    lines = []
    for number, step in enumerate(steps):
        lines.append(f"echo '{MARK}{number}'")
        lines.append(f"cd {APP_FOLDER} && (\n{step.script}\n)")
        lines.append("status=$?; if [ $status -ne 0 ]; then exit $status; fi")
    return "\n".join(lines) + "\n"


def build_network(deployment: Deployment) -> NetworkSpec:
    """One for all builds, in which they see the Internet and not each other."""
    labels = {INSTANCE: deployment.instance, ROLE: "network"}
    return NetworkSpec(f"{deployment.instance}-builds", "", labels, apart=True)


async def _build_container(
    deployment: Deployment, host: Host, app: Application, name: str, script: Script,
) -> ContainerSpec:
    version = deployment.planned.version.app(app.name)
    assert version is not None, app.name
    about = About(
        deployment.project.id, await host.facts.entropy(deployment.project.id), deployment.environment,
        deployment.branch, deployment.type, version.tree,
    )
    values = build_environment(app, about, build_variables(deployment.project, app, deployment.branch))
    trust = host.settings.build.trust_store == "host" and await asyncio.to_thread(HOST_TRUST_STORE.is_file)
    certificates = {variable: str(HOST_TRUST_STORE) for variable in TRUST_VARIABLES} if trust else {}
    return ContainerSpec(
        name=name,
        image=version.image_id,
        labels=deployment.names.labels("build", app.name, deployment.id),
        entrypoint=(),
        command=wrapper_command(script),
        environment=merged_environment({**certificates, **build_paths(app)}, values),
        user=APP_USER,
        working_folder=APP_FOLDER,
        network=build_network(deployment).name,
        binds=(
            Bind(str(host.places.workspace(deployment.id, app.name)), APP_FOLDER),
            Bind(str(host.places.cache(deployment.project.id)), CACHE_FOLDER),
            Bind(str(script.folder.parent), SCRIPTS_FOLDER),
            *([Bind(str(HOST_TRUST_STORE), str(HOST_TRUST_STORE), read_only=True)] if trust else []),
        ),
        tmpfs={
            "/tmp": "rw,exec,nosuid,nodev,size=4g,mode=1777",
            "/run": f"rw,nosuid,nodev,size=64m,uid={APP_UID},gid={APP_UID}",
            "/home/web": f"rw,exec,nosuid,nodev,size=2g,uid={APP_UID},gid={APP_UID}",
        },
        memory_bytes=host.settings.build.memory_mb * MEGABYTE,
        cpus=host.settings.build.cpus,
    )


def _make_writable(folder: Path) -> None:
    """Make a folder that builds write into. Several may ask for the same one at once."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.chown(folder, APP_UID, APP_UID)


def _refuse_without_room(host: Host) -> None:
    usage = os.statvfs(host.places.state)
    free_mb = usage.f_bavail * usage.f_frsize // MEGABYTE
    if free_mb < host.settings.min_free_disk_mb:
        raise DiskFull(
            f"cannot build: only {free_mb} of {host.settings.min_free_disk_mb} MB are free at {host.places.state}",
            mend="make room on the disk, or lower min_free_disk_mb; nothing was changed",
        )
