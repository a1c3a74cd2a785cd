"""Phase 3: what was built becomes one read-only file, named by its content key."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.confined.trees import bytes_to_read
from deployd.deployment.build_layers import built_tree
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import Packed
from deployd.errors import DeployError
from deployd.release.configuration import read_config
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.slugs.layers import ensure_no_tree
from deployd.slugs.mount_points import covered_mounts
from deployd.units import MEGABYTE, megabytes


class BuiltTooLarge(DeployError):
    """What was built is too much to be packed: it may take no room on the disk and be terabytes to read."""

    code: ClassVar[str] = "built-too-large"


async def pack(deployment: Deployment, host: Host, tell: Tell) -> Packed:
    """Pack each built application; a slug that is there already is taken as it is."""
    config = await read_config(deployment.release, host)
    packed = []
    for planned in deployment.planned.plan.apps:
        if planned.action != "build":
            continue
        app = config.application(planned.name)
        assert app is not None, planned
        packed.append(planned.slug)
        if await host.slugs.has(planned.slug):
            continue
        workspace = await built_tree(deployment, host, app)
        mount_points = tuple(dict.fromkeys(mount.path for mount in app.all_mounts()))
        if not config.dialect.folder_is_code:   # Magento's cloud takes `.magento` out of the running code
            await move_to_trash(workspace / config.dialect.folder, host.places.going)
        # What a recipe keeps aside comes back into the mounts.
        for hidden in await asyncio.to_thread(covered_mounts, workspace, mount_points) if app.magento is None else ():
            tell.warn(f"the mount {hidden} hides what the code has at {hidden}: nobody sees it while {app.name} runs")
        packing = host.slugs.pack(workspace, planned.slug, mount_points, owner=deployment.planned.version.uid)
        # Counted while it is packed, which ends with what is wrong: nobody waits for the counting.
        slug, _ = await in_parallel([packing, _refuse_too_large(deployment, host, app.name, workspace)])
        assert slug is not None, planned
        tell.line(f"{slug.files} files, {megabytes(slug.size_bytes):.1f} MB in {slug.seconds:.1f} s", app=app.name)
    await ensure_no_tree(host.places.trees(deployment.id))
    await move_to_trash(host.places.work(deployment.id), host.places.going)
    return Packed(tuple(packed))


async def _refuse_too_large(deployment: Deployment, host: Host, app: str, workspace: Path) -> None:
    """Packing reads all of it, with all processors of the host; what a build may write does not bound sparse files.

    Raises:
        BuiltTooLarge: There is more to read than a build may write.
    """
    most_mb = host.settings.shares_of(deployment.project.id).build_mb
    there_mb = await bytes_to_read(workspace) // MEGABYTE
    if there_mb > most_mb:
        raise BuiltTooLarge(
            f"what was built of {app} is {there_mb} MB long, and {most_mb} MB may be", where="shares.build_mb",
            hint="let the build leave no sparse files, or have the operator raise the share; nothing was changed",
        )
