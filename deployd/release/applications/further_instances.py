"""Further instances of an application: what they wait for, and how they come to run.

The deploy hook runs in the first one. An application may need what it does (a file in a mount, a table) to start at
all, and only the first one knows when it has ended; so the others begin after it, with everything as it is to be.
"""

from __future__ import annotations

from deployd.activity.log import Tell
from deployd.project.model import Application, ProjectConfig
from deployd.release.applications.start import start_app, web_servers
from deployd.release.ports import Host
from deployd.release.release import Release


def starts_after_hook(release: Release, app: Application) -> bool:
    """Whether instances beyond the first one are only made before the deploy hook."""
    return release.awaits_hook and app.hooks.deploy is not None


async def start_further(release: Release, host: Host, config: ProjectConfig, tell: Tell) -> None:
    """Have all instances of a new version's applications run; those that run already are left alone.

    Raises:
        DeployError: One cannot be started.
    """
    for app in config.applications:
        waiting = [part for part in release.webs(app.name)[1:] if not await _runs(release, host, part)]
        if not waiting:
            continue
        image = await host.images.ensure(host.catalogue.web, tell.line)
        servers = await web_servers(release, host, image, [app])
        for part in waiting:
            await start_app(release, host, config, app, servers[part], part=part)


async def _runs(release: Release, host: Host, part: str) -> bool:
    seen = await host.engine.container(release.container("app", part))
    return seen is not None and seen.running
