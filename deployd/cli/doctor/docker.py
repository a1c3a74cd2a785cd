"""The Docker Engine: reachable, new enough, fast enough, and which images of the catalogue it has."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployd.catalogue import Catalogue, Entry
from deployd.cli.doctor.finding import Finding, doubt, well, wrong
from deployd.engine.docker.connection import EngineInfo
from deployd.engine.docker.engine import Engine
from deployd.engine.docker.image_recipes import RECIPE_LABEL, recipe_digest
from deployd.errors import DeployError
from deployd.router_process.container import router_name
from deployd.settings import Settings

LIMIT_SECONDS = 15.0
SLOW_DRIVERS = {"vfs": "copies the whole image for each container", "devicemapper": "is no longer kept by Docker",
                "aufs": "is no longer kept by Docker"}
NAMED = 6
"""So many missing images are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class EngineLook:
    """What the other looks need to know of the Engine."""

    findings: tuple[Finding, ...]
    folder: Path | None = None
    router_id: str | None = None


async def look_at_docker(settings: Settings, catalogue: Catalogue | None) -> EngineLook:
    try:
        async with asyncio.timeout(LIMIT_SECONDS), Engine(settings.docker_socket) as engine:
            info = await engine.about()
            router = await engine.container(router_name(settings.instance))
            images = [judge_images(catalogue, await _missing(engine, catalogue))] if catalogue else []
    except TimeoutError:
        return EngineLook((wrong("docker", f"did not answer within {LIMIT_SECONDS:.0f} s",
                                 "look at `systemctl status docker` and at the load of this host"),))
    except DeployError as error:
        return EngineLook((Finding.of("docker", error),))
    return EngineLook((*judge_engine(info), *images), Path(info.folder), router.id if router else None)


def judge_engine(info: EngineInfo) -> list[Finding]:
    """Pure."""
    found = [well("docker", f"{info.version} (API {info.api_version}), storage driver {info.storage_driver}, "
                  f"cgroups v{info.cgroups}")]
    if info.storage_driver in SLOW_DRIVERS:
        found.append(doubt("docker", f"the storage driver {info.storage_driver} {SLOW_DRIVERS[info.storage_driver]}",
                           "use overlay2: docs.docker.com/storage/storagedriver"))
    if not info.limits_memory:
        found.append(doubt("docker", "cannot limit the memory of containers: one can take all of the host's",
                           "boot the kernel with `cgroup_enable=memory`"))
    return found


def judge_images(catalogue: Catalogue, missing: Sequence[str]) -> Finding:
    """Missing images are made or pulled when they are first needed; that takes minutes. Pure but for the PATH."""
    entries = dict(catalogue.entries())
    if not missing:
        return well("images", f"all {len(entries)} of the catalogue are there")
    bases = [name for name in missing if entries[name].suite]
    if bases and shutil.which("mmdebstrap") is None:
        return wrong("images", f"the base {bases[0]} is not there and cannot be made: mmdebstrap is not installed",
                     "apt-get install mmdebstrap")
    names = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
    says = f"{len(entries) - len(missing)} of {len(entries)} are there; made when first needed: {names}"
    if {"router", "web"} & set(missing):
        return doubt("images", says, "wait some minutes at the first start and the first push")
    return well("images", says)


async def _missing(engine: Engine, catalogue: Catalogue) -> list[str]:
    return [name for name, entry in catalogue.entries() if not await _is_there(engine, catalogue, entry)]


async def _is_there(engine: Engine, catalogue: Catalogue, entry: Entry) -> bool:
    image = await engine.image(entry.image)
    wanted = recipe_digest(catalogue, entry)
    return image is not None and wanted in (None, image.labels.get(RECIPE_LABEL))
