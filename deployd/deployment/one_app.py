"""The containers of one application or worker, started as a version wants them; what is there already is kept."""

from __future__ import annotations

from typing import ClassVar

from deployd.deployment.containers import app_container, web_container, worker_container
from deployd.deployment.environment_file import environment_error
from deployd.deployment.files import write_files
from deployd.deployment.gone import where_it_is_kept
from deployd.deployment.host import Host
from deployd.deployment.instances import instance_parts
from deployd.deployment.not_running import REFUSED, why_not_running
from deployd.deployment.start_script import hook_script
from deployd.deployment.together import together
from deployd.deployment.version import worker_part
from deployd.deployment.view import Deployment
from deployd.engine.specs import ContainerSpec
from deployd.environment.platform import APP_FOLDER
from deployd.errors import DeployError
from deployd.project.model import Application, Instance, ProjectConfig, Worker
from deployd.recipes.web_server import web_server_files


class WebServerEnded(DeployError):
    """nginx in an application's web container ended at once."""

    code: ClassVar[str] = "web-server-ended"


class PostStartFailed(DeployError):
    """The `post_start` command of an instance ended with another status than 0."""

    code: ClassVar[str] = "post-start-failed"


POST_START_SECONDS = 300


def web_name(deployment: Deployment, app: Application) -> str:
    """The name of an application's web container."""
    return deployment.names.container(deployment.id, "web", app.name)


async def start_app(
    deployment: Deployment, host: Host, config: ProjectConfig, app: Application, web_image: str, address: str,
) -> tuple[str, str]:
    """Mount the slug of an application and start its web and app containers. Gives their names.

    Args:
        address: That the web container keeps.

    Raises:
        WebServerEnded: Its nginx ended at once.
        PostStartFailed: Its `post_start` did.
    """
    parts = await instance_parts(deployment, host, config, app, app.web.instance, app.name)
    folder = host.places.version(deployment.project.id, deployment.environment, deployment.id) / f"{app.name}-web"
    await write_files(folder, web_server_files(app, trusted=host.settings.network_pool))
    web, own = web_container(parts, web_image, folder, address), app_container(parts)
    await together(host.engine.create(spec) for spec in (web, own))
    await host.engine.ensure_container(web)
    await _start_beside(deployment, host, app, web, own)
    await _run_post_start(host, app, app.web.instance, app.name, own, str(app.web.place))
    return web.name, own.name


async def start_worker(
    deployment: Deployment, host: Host, config: ProjectConfig, app: Application, worker: Worker,
) -> str:
    """Start the container of a worker. Gives its name.

    Raises:
        PostStartFailed: Its `post_start` ended with another status than 0.
    """
    part = worker_part(app.name, worker.name)
    parts = await instance_parts(deployment, host, config, app, worker.instance, part)
    spec = worker_container(parts)
    await host.engine.ensure_container(spec)
    await _run_post_start(host, app, worker.instance, part, spec, str(worker.place))
    return spec.name


async def _start_beside(
    deployment: Deployment, host: Host, app: Application, web: ContainerSpec, own: ContainerSpec,
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
            mend="its lines are above: mostly it is a rule in `web.locations` that nginx does not take; "
                 f"{where_it_is_kept(deployment, app.name)} shows all of them",
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
            container.name, ("/bin/sh", "-c", hook_script(command)), user=container.user, working_folder=APP_FOLDER,
            limit_seconds=POST_START_SECONDS,
        )
    except REFUSED as error:
        raise await why_not_running(host, app, container.name, who, error) from error
    if ended.status != 0:
        lines = (ended.stdout + ended.stderr).decode(errors="replace").splitlines()[-20:]
        raise environment_error(lines, app.root, who) or PostStartFailed(
            f"{who} ended with exit code {ended.status}", where=where, evidence=tuple(lines),
            mend="mend the command, or let it end with 0 when what it waits for may come later",
        )
