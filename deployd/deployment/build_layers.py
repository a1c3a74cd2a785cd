"""The tree of an application's build: what is taken over of earlier builds, and what each container of this one writes.

    <work>/<activity>/<app>/app            the commit's files
                           /exported       they are whole
                           /upper-0 …      what the containers wrote, one folder for each that ran
                           /kernel-0 …     of overlayfs
    <run>/trees/<activity>/<app>/0 … /tree   /app as a container sees it; the last one is packed

A build of which nothing may be kept has no layers: its only container writes into the commit's files. Which layers
there are is read from the disk and from the plan, so that a daemon that is started again goes on with them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deployd.confined.trees import own_tree
from deployd.deployment.deployment import Deployment
from deployd.ids import SlugKey
from deployd.project.model import Application
from deployd.release.ports import Host
from deployd.runtimes.build_steps import staged_build
from deployd.runtimes.stages import Segment, segments
from deployd.slugs.archive import SlugStore
from deployd.slugs.layers import Top, ensure_no_tree, ensure_tree


@dataclass(frozen=True, slots=True)
class Layers:
    """Of one application's build."""

    host: Host
    deployment: Deployment
    app: str
    segments: tuple[Segment, ...]
    keys: Mapping[str, SlugKey]
    """{stage: key of what its result is made of}"""
    taken: Mapping[str, SlugKey]
    """{stage: the result that is taken over}"""

    @property
    def folder(self) -> Path:
        return self.host.places.build_of(self.deployment.id, self.app)

    @property
    def workspace(self) -> Path:
        return self.host.places.workspace(self.deployment.id, self.app)

    @property
    def store(self) -> SlugStore:
        """Where results of this build are kept."""
        return self.host.kept.of(self.deployment.project.id, self.deployment.zone)

    @property
    def are_several(self) -> bool:
        return len(self.segments) > 1

    def key(self, segment: Segment) -> SlugKey | None:
        stage = segment.stage
        return self.keys[stage.kept.name] if stage is not None and stage.kept is not None else None

    def taken_for(self, segment: Segment) -> SlugKey | None:
        stage = segment.stage
        return self.taken.get(stage.kept.name) if stage is not None and stage.kept is not None else None

    def upper(self, segment: Segment) -> Path:
        return self.folder / f"upper-{segment.number}"

    def trees(self, segment: Segment) -> Path:
        return self.host.places.trees(self.deployment.id) / self.app / f"{segment.number}"

    async def ensure_tree(self, segment: Segment) -> Path:
        """What a container of the build sees as its application; mounted, when there are layers."""
        if not self.are_several:
            return self.workspace
        top = Top(self.upper(segment), self.folder / f"kernel-{segment.number}")
        for path in (top.upper, top.work):
            await asyncio.to_thread(path.mkdir, exist_ok=True)
        await own_tree_top(top.upper, self.deployment.planned.version.uid)
        lower = [self.workspace, *await asyncio.to_thread(self._lower, segment)]
        is_last = segment is self.segments[-1]
        return await ensure_tree(self.trees(segment), lower, top, moves_folders=is_last)

    async def ensure_no_tree(self, segment: Segment) -> None:
        if self.are_several:
            await ensure_no_tree(self.trees(segment))

    def _lower(self, segment: Segment) -> list[Path]:
        found = []
        for earlier in self.segments[:segment.number]:
            own, taken = self.upper(earlier), self.taken_for(earlier)
            if not own.is_dir():
                assert taken is not None, earlier
                own = self.store.path(taken)
            found.append(own)
        return found


def layers_of(deployment: Deployment, host: Host, app: Application) -> Layers:
    """The layers of an application's build, by its plan."""
    build = staged_build(app)
    there = {stage.kept.name for stage in build.stages if stage.kept is not None}
    planned = next(item for item in deployment.planned.plan.apps if item.name == app.name)
    keys = {item.name: item.key for item in planned.stages if item.key is not None and item.name in there}
    taken = {item.name: item.taken for item in planned.stages if item.taken is not None}
    return Layers(host, deployment, app.name, segments(build, frozenset(keys)), keys, taken)


async def built_tree(deployment: Deployment, host: Host, app: Application) -> Path:
    """The folder with all that a build has made, to be packed; the host may have been started again since."""
    layers = layers_of(deployment, host, app)
    return await layers.ensure_tree(layers.segments[-1])


async def own_tree_top(folder: Path, owner: int) -> None:
    """Have a folder that a container will see as its application's root belong to its user; done before, it is left."""
    if (await asyncio.to_thread(os.lstat, folder)).st_uid != owner:
        await own_tree(folder, owner)
