"""The databases of an environment, as far as their files are copied: which they are, paused, stopped and started.

A database is a service that starts from whatever a power cut leaves of its files (`Parts.crash_safe`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployd.errors import DeployError
from deployd.release.configuration import read_config
from deployd.release.data.volume_copy import VolumeCopy, copy_back, copy_out, end_copying
from deployd.release.images_missing import NO_CONTAINER
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.sizes import service_size
from deployd.services.families import family_of
from deployd.services.family import READY_MARK, Parts
from deployd.units import MEGABYTE

SETTLE_SECONDS, COPY_SECONDS, PAUSE_SECONDS = 120, 1500, 1530
READY_SECONDS = 600
"""One that was copied while it ran reads its log again before it answers."""


@dataclass(frozen=True, slots=True)
class Database:
    name: str
    """Of the service."""
    container: str
    volume: str
    image: str
    parts: Parts


async def databases_before(release: Release, host: Host) -> tuple[Database, ...]:
    """Those whose data were there before this deployment."""
    images = {version.name: version.image_id for version in release.version.services}
    names = release.names
    found = []
    for service in (await read_config(release, host)).services:
        if service.kind in NO_CONTAINER:
            continue
        parts = family_of(service).parts(service, memory_mb=service_size(host.settings, service).memory_mb)
        made_now = names.labels("volume", service.name, made_by=release.id)
        if parts.crash_safe and parts.volume_path and not await host.engine.volumes(made_now):
            found.append(Database(
                service.name, names.service(service.name), names.volume(service.name), images[service.name], parts,
            ))
    return tuple(found)


async def copy_files(release: Release, host: Host, databases: tuple[Database, ...], folder: Path) -> None:
    """Copy the files of all databases as they are at one moment, with their containers paused meanwhile.

    Raises:
        DeployError: There is too little room, or one does not let itself be copied; all go on.
    """
    await in_parallel(_settle(host, database) for database in databases)
    try:
        await copy_out(
            release, host, _copy(databases, folder), keep_free_bytes=host.settings.min_free_disk_mb * MEGABYTE,
            still=host.engine.paused([database.container for database in databases], PAUSE_SECONDS),
        )
    finally:
        await in_parallel(_ask_soon(host, database.container) for database in databases)


async def replace_files(release: Release, host: Host, databases: tuple[Database, ...], folder: Path) -> None:
    """Stop all databases, give them the files that were copied, and start them. May be done again.

    Raises:
        DeployError: One has not all of its files, or does not start from them.
    """
    # What they would still write goes.
    await in_parallel(host.engine.stop(database.container, 0) for database in databases)
    await copy_back(release, host, _copy(databases, folder))
    await in_parallel(host.engine.start(database.container) for database in databases)
    await in_parallel(host.engine.wait_until_healthy(database.container, READY_SECONDS) for database in databases)


async def end_half_copied(release: Release, host: Host, databases: Iterable[Database]) -> None:
    """End what a daemon before us began to copy, and let the databases go on."""
    await end_copying(release, host)
    await in_parallel(host.engine.ensure_going_on(database.container) for database in databases)
    await in_parallel(_ask_soon(host, database.container) for database in databases)


async def _settle(host: Host, database: Database) -> None:
    argv = database.parts.settle
    if not argv:
        return
    ended = await host.engine.execute(database.container, argv, limit_seconds=SETTLE_SECONDS)
    if ended.status != 0:
        lines = ended.stderr.decode(errors="replace").splitlines()
        raise DeployError(f"{argv[0]} ended with exit status {ended.status}", evidence=tuple(lines[-20:]))


async def _ask_soon(host: Host, container: str) -> None:
    """What stood still for long is called unhealthy until it was asked again: let it be asked each second."""
    with suppress(DeployError):
        seen = await host.engine.container(container)
        if seen is not None and seen.health == "unhealthy":
            await host.engine.execute(container, ("rm", "-f", READY_MARK))


def _copy(databases: tuple[Database, ...], folder: Path) -> VolumeCopy:
    volumes = {database.name: database.volume for database in databases}
    return VolumeCopy(volumes, folder, databases[0].image, COPY_SECONDS)
