"""What a container of a build has made is kept for later builds, right after it and before anybody else touches it.

Its container is dead by then, and nobody but the daemon has ever seen the place where it is kept. Whatever goes wrong
here is said and costs a later build some time; it never ends this one.
"""

from __future__ import annotations

import asyncio

from deployd.activity.log import Tell
from deployd.confined.trees import bytes_to_read
from deployd.deployment.build_layers import Layers
from deployd.deployment.reuse import Entries
from deployd.deployment.written_over import first_outside, take_record, written_over
from deployd.errors import DeployError
from deployd.process import ProgramFailed, ProgramOverran
from deployd.runtimes.stages import Segment
from deployd.slugs.kept import own_key
from deployd.units import MEGABYTE, megabytes


async def keep_result(layers: Layers, segment: Segment, entries: Entries, tell: Tell) -> None:
    """Keep what the container of a segment wrote; there already is fine."""
    stage, key = segment.stage, layers.key(segment)
    assert stage is not None
    assert stage.kept is not None
    host, deployment, store, upper = layers.host, layers.deployment, layers.store, layers.upper(segment)
    try:
        read = await asyncio.to_thread(take_record, upper, stage.kept.record)
        about, why_not = await asyncio.to_thread(written_over, upper, entries)
        if read is None:
            why_not = why_not or "it did not say what it read"
        elif read:
            about["read"] = {path: entries[path] for path in sorted(read) if path in entries}
        most_mb = host.settings.shares_of(deployment.project.id).build_mb
        if not why_not and await bytes_to_read(upper) > most_mb * MEGABYTE:   # a sparse file takes no room, and hours
            why_not = f"it is longer than {most_mb} MB"
        if not why_not and (path := await asyncio.to_thread(first_outside, upper, stage.kept.outputs)):
            why_not = f"it wrote {path}"
        if why_not:
            tell.line(f"{stage.title}: not kept for later builds: {why_not}", app=layers.app)
            return
        about |= {"key": key}
        own = own_key(about)
        if deployment.activity.trigger.anew:
            await store.remove(own)
        slug = await store.pack(upper, own, owner=deployment.planned.version.uid, about=about)
        tell.line(
            f"{stage.title}: kept for later builds, {slug.files} files, {megabytes(slug.size_bytes):.1f} MB in"
            f" {slug.seconds:.1f} s", app=layers.app,
        )
        await host.kept.ensure_in_bounds(
            deployment.project.id, host.settings.collect.kept_mb, host.clock.now().timestamp(),
        )
    except (DeployError, ProgramFailed, ProgramOverran, OSError) as error:
        tell.warn(f"{stage.title} of {layers.app} is not kept for later builds: {error}")
