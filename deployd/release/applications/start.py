"""The containers of one application or worker, started as a version wants them; what is there already is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from deployd.engine.names import DIGEST, with_digest
from deployd.engine.specs import ContainerSpec, Network, RunAs
from deployd.environment.platform import APP_FOLDER
from deployd.errors import DeployError
from deployd.project.model import Application, Instance, ProjectConfig, Worker
from deployd.release.answers.not_running import REFUSED, why_not_running
from deployd.release.applications.containers import app_container, web_container, worker_container
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.instances import Described, describe_instance, lay_out
from deployd.release.applications.start_script import hook_script
from deployd.release.applications.web_server import web_server_files
from deployd.release.configuration_files import write_files
from deployd.release.container_removal import ensure_gone, where_it_is_kept
from deployd.release.digests import container_text, digest
from deployd.release.network import fixed_addresses
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.version import worker_part


class WebServerEnded(DeployError):
    """nginx in an application's web container ended at once."""

    code: ClassVar[str] = "web-server-ended"


class PostStartFailed(DeployError):
    """The `post_start` command of an instance ended with another status than 0."""

    code: ClassVar[str] = "post-start-failed"


POST_START_SECONDS = 300


@dataclass(frozen=True, slots=True)
class WebServer:
    """What the web container of an application has of its own."""

    image: str
    address: str = ""
    """That it keeps; none when it is only compared."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the two containers of an instance are made of."""

    described: Described
    web: ContainerSpec
    own: ContainerSpec
    web_folder: Path
    web_files: Mapping[str, str]


async def made_of(
    release: Release, host: Host, config: ProjectConfig, app: Application, server: WebServer, part: str,
) -> Made:
    """Changes nothing. The label DIGEST of both containers stands for all that they see and can be told apart by.

    Args:
        part: Which instance of the application: `shop`, `shop.2`.
    """
    described = await describe_instance(release, host, config, app, app.web.instance, part)
    home = release.home(part)
    folder = host.places.version(release.environment, home) / f"{part}-web"
    files = web_server_files(app, trusted=host.settings.network_pool)
    web = web_container(described.parts, server.image, folder, server.address)
    own = app_container(described.parts)
    seen = digest([described.seen, files, container_text(web), container_text(own)])
    web, own = (replace(spec, labels=with_digest(spec.labels, seen)) for spec in (web, own))
    return Made(described, web, own, folder, files)


async def start_app(
    release: Release, host: Host, config: ProjectConfig, app: Application, server: WebServer, *,
    part: str = "", only_make: bool = False,
) -> tuple[str, str]:
    """Mount the slug of an application and start the web and app containers of one instance. Gives their names.

    Args:
        part: Which instance; none: the first one.
        only_make: The app container is made and not started.

    Raises:
        WebServerEnded: Its nginx ended at once.
        PostStartFailed: Its `post_start` did.
    """
    part = part or app.name
    made = await made_of(release, host, config, app, server, part)
    web, own = made.web, made.own
    await lay_out(release, host, made.described)
    await write_files(made.web_folder, made.web_files)
    await in_parallel(host.engine.create(spec) for spec in (web, own))
    await host.walls.admit((web,))
    await host.engine.ensure_container(web)
    if only_make:
        return web.name, own.name
    await _start_beside(release, host, app, web, own)
    await _run_post_start(host, app, app.web.instance, part, own, str(app.web.place))
    return web.name, own.name


async def start_worker(
    release: Release, host: Host, config: ProjectConfig, app: Application, worker: Worker,
) -> str:
    """Start the container of a worker. Gives its name.

    That of an application which is kept goes on, or is started again, when it is the same; else another one is made.

    Raises:
        PostStartFailed: Its `post_start` ended with another status than 0.
    """
    part = worker_part(app.name, worker.name)
    described = await describe_instance(release, host, config, app, worker.instance, part)
    spec = worker_container(described.parts)
    spec = replace(spec, labels=with_digest(spec.labels, digest([described.seen, container_text(spec)])))
    spec = await _with_address(release, host, worker.instance, spec)
    if release.home(part) != release.id:
        there = await host.engine.container(spec.name)
        if there is not None and there.labels.get(DIGEST) != spec.labels[DIGEST]:
            await ensure_gone(host, there, stop_seconds=None)
        elif there is not None and there.running:
            return spec.name
    await lay_out(release, host, described)
    await host.engine.create(spec)
    await host.walls.admit((spec,))
    await host.engine.ensure_container(spec)
    await _run_post_start(host, app, worker.instance, part, spec, str(worker.place))
    return spec.name


async def _with_address(release: Release, host: Host, instance: Instance, spec: ContainerSpec) -> ContainerSpec:
    """A worker with rules of its own is known by its address; others get theirs from the engine."""
    if instance.firewall is None or not isinstance(spec.network, Network):
        return spec
    address = (await fixed_addresses(release, host, [spec.name]))[spec.name]
    return replace(spec, network=replace(spec.network, address=address))


async def _start_beside(
    release: Release, host: Host, app: Application, web: ContainerSpec, own: ContainerSpec,
) -> None:
    """Start the application, which joins the network of its web container and cannot do so when that has ended.

    Raises:
        WebServerEnded: It has; its last log lines are the evidence.
    """
    try:
        await host.engine.ensure_container(own)
    except DeployError as error:
        seen = await host.engine.container(web.name)
        if seen is not None and seen.running and not seen.restarts:
            raise
        raise WebServerEnded(
            f"the web server of {app.name} ended as soon as it was started",
            where=str(app.web.place), evidence=tuple(await host.engine.last_lines(web.name, 10)),
            hint="its lines are above: mostly it is a rule in `web.locations` that nginx does not take; "
                 f"{where_it_is_kept(release, app.name)} shows all of them",
        ) from error


async def _run_post_start(
    host: Host, app: Application, instance: Instance, part: str, container: ContainerSpec, where: str,
) -> None:
    command = instance.commands.post_start
    if not command:
        return
    who = f"the post_start command of {part}"
    try:
        ended = await host.engine.execute(
            container.name, ("/bin/sh", "-c", hook_script(command)),
            RunAs(container.user, working_folder=APP_FOLDER), limit_seconds=POST_START_SECONDS,
        )
    except REFUSED as error:
        raise await why_not_running(host, app, container.name, who, error) from error
    if ended.status != 0:
        lines = (ended.stdout + ended.stderr).decode(errors="replace").splitlines()[-20:]
        raise environment_error(lines, app.root, who) or PostStartFailed(
            f"{who} ended with exit code {ended.status}", where=where, evidence=tuple(lines),
            hint="mend the command, or let it end with 0 when what it waits for may come later",
        )


async def web_servers(
    release: Release, host: Host, image: str, apps: Iterable[Application],
) -> dict[str, WebServer]:
    """{part: its web server} of all instances that are made side by side."""
    containers = {part: release.container("web", part) for app in apps for part in release.webs(app.name)}
    addresses = await fixed_addresses(release, host, list(containers.values()))
    return {part: WebServer(image, addresses[container]) for part, container in containers.items()}


def in_order_of_need(config: ProjectConfig) -> list[Application]:
    """Applications, those that others have relationships to first. There are no circles: the reader refuses them."""
    ordered: list[Application] = []

    def visit(app: Application) -> None:
        if app in ordered:
            return
        for relationship in app.web.instance.relationships:
            target = config.application(relationship.target)
            if target is not None and target is not app:
                visit(target)
        ordered.append(app)

    for app in config.applications:
        visit(app)
    return ordered
