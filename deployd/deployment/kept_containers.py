"""Whether an application goes on in the containers that it has: when nothing that it sees has changed.

What it sees is the whole of what its containers are made of: image, slug, variables, relationships and their
addresses, mounts, configuration, size, web server. A digest of that is a label of both containers. It is compared with
the digest of what they would be made of now, under their own name; so whatever is ever added to it counts.
A container that has ended and was started again, by whomever, is not kept: who pushes may well do so to repair that.
A redeploy is asked for to have things started anew, and keeps none.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from deployd.confined.stages import are_staged
from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.engine.names import DIGEST
from deployd.ids import ActivityId
from deployd.project.model import Application, ProjectConfig
from deployd.release.applications.needed import scripts_of
from deployd.release.applications.start import WebServer, made_of
from deployd.release.applications.start_records import read_starts
from deployd.release.data.volumes import mount_places
from deployd.release.ports import Host
from deployd.release.version import AppVersion


async def find_home(
    deployment: Deployment, host: Host, config: ProjectConfig, app: Application, web_image: str,
) -> ActivityId | None:
    """The deployment whose containers an application keeps; None: it gets new ones.

    Args:
        deployment: Knows which of those that it has relationships to are kept.
    """
    before = deployment.planned.before
    if before is None or deployment.mode.starts_anew or deferred_of(deployment).includes(app, config):
        return None
    if not _is_same(before.app(app.name), deployment.planned.version.app(app.name)):
        return None   # mostly: it costs nothing more
    home = before.home(app.name)
    as_it_is = replace(deployment, kept={**(deployment.kept or {}), app.name: home})
    if not await _is_well(as_it_is, host, app):
        return None
    for part in as_it_is.release.webs(app.name):
        made = await made_of(as_it_is.release, host, config, app, WebServer(web_image), part)
        for spec in (made.web, made.own):
            there = await host.engine.container(spec.name)
            if there is None or not there.running or there.has_ended or there.labels.get(DIGEST) != spec.labels[DIGEST]:
                return None
    return home


def _is_same(before: AppVersion | None, now: AppVersion | None) -> bool:
    return before is not None and now is not None and replace(before, made_by=None) == replace(now, made_by=None)


async def _is_well(deployment: Deployment, host: Host, app: Application) -> bool:
    """Whether its start command has never ended, and its mounts are there."""
    for part in deployment.release.webs(app.name):
        starts = await asyncio.to_thread(read_starts, scripts_of(deployment.release, host, part))
        if starts is not None and starts.ended > 0:
            return False
    places = await asyncio.to_thread(mount_places, deployment.release, host, app.web.instance, app.name)
    return await are_staged(places)
