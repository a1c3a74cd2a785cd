"""Phase 3: what was built becomes one read-only file, named by its content key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from deployd.activity.log import Tell
from deployd.deployment.disk_use import ensure_tree_gone
from deployd.deployment.host import Host
from deployd.deployment.validate import read_config
from deployd.deployment.view import Deployment
from deployd.ids import SlugKey
from deployd.slugs.mount_points import covered_mounts


@dataclass(frozen=True, slots=True)
class Packed:
    slugs: tuple[SlugKey, ...]


async def pack(deployment: Deployment, host: Host, tell: Tell) -> Packed:
    """Pack each built application; a slug that is there already is taken as it is."""
    config = await read_config(deployment, host)
    packed = []
    for planned in deployment.planned.plan.apps:
        if planned.action != "build":
            continue
        app = config.application(planned.name)
        assert app is not None, planned
        packed.append(planned.slug)
        if await host.slugs.has(planned.slug):
            continue
        workspace = host.places.workspace(deployment.id, app.name)
        mount_points = tuple(dict.fromkeys(mount.path for mount in app.all_mounts()))
        for hidden in await asyncio.to_thread(covered_mounts, workspace, mount_points):
            tell.warn(f"the mount {hidden} hides what the code has at {hidden}: nobody sees it while {app.name} runs")
        slug = await host.slugs.pack(workspace, planned.slug, mount_points)
        tell.line(f"{slug.files} files, {slug.size_bytes / 1e6:.1f} MB in {slug.seconds:.1f} s", app=app.name)
    await ensure_tree_gone(host.places.work(deployment.id))
    return Packed(tuple(packed))
