"""The databases as they were before the deploy hook: copied in the freeze, put back when the deployment is reverted.

    take_snapshot       services paused ─► volumes copied ─► services go on     it exists once the journal has its end
    put_back_snapshot   new containers ended ─► services stopped ─► volumes filled from it ─► services started

All services are paused at once, so that the snapshot is of one moment. A service that is copied so starts from it as it
starts after a power cut (`Parts.crash_safe`); that copies users, privileges, routines, sequences and large objects like
any row, and is several times faster than a dump. Whoever talks to a paused service waits, and no connection breaks.
Surprise: what is half taken is never put back, because only what the journal calls done is there to be put back.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.deployment.hooks import Frozen
from deployd.deployment.host import Host
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.view import Deployment
from deployd.deployment.volume_copy import Measured, by_hand, copy_back, copy_out, end_copying, measure
from deployd.deployment.wanted import NO_CONTAINER
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, MADE_BY, PROJECT, ROLE
from deployd.errors import DeployError
from deployd.services.families import family_of
from deployd.services.family import READY_MARK, Parts

UNDER_WAY_SECONDS = 0.5
"""Requests that the router had sent on before the freeze end within this time, mostly."""
SETTLE_SECONDS, COPY_SECONDS = 120, 1500
READY_SECONDS = 600
"""A database that was copied while it ran reads its log again before it answers."""
MEGABYTE = 1_000_000


class SnapshotNotTaken(DeployError):
    """The databases could not be copied; the deploy hook is not run without."""

    code: ClassVar[str] = "snapshot-not-taken"


class SnapshotNotPutBack(DeployError):
    """The databases are not as they were before the deploy hook; the snapshot is kept."""

    code: ClassVar[str] = "snapshot-not-put-back"


@dataclass(frozen=True, slots=True)
class Taken:
    services: tuple[str, ...]
    """Empty: none was wanted, or there is nothing to copy."""
    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Database:
    image: str
    parts: Parts


async def take_snapshot(deployment: Deployment, host: Host, tell: Tell) -> Taken:
    """Copy the data of the environment's databases, when that is wanted and a deploy hook is about to change them.

    Raises:
        SnapshotNotTaken: There is too little room, or a service does not let itself be copied.
    """
    half_taken = deployment.journal.last("take_snapshot") is not None   # by a daemon before us
    wanted = _wanted(deployment, host) and deployment.journal.result("freeze", Frozen).held
    if not wanted and not half_taken:
        return Taken(())
    services = await _databases(deployment, host)
    if half_taken:
        await _end_half_taken(deployment, host, services)
    if not wanted:
        return Taken(())
    if not services:
        tell.line("no snapshot: there is no database that was there before")
        return Taken(())
    folder = _folder(deployment, host)
    await asyncio.to_thread(_make_empty, folder)
    await asyncio.sleep(UNDER_WAY_SECONDS)
    began = asyncio.get_running_loop().time()
    try:
        await together(_settle(deployment, host, name, found.parts) for name, found in services.items())
        await _copy_paused(deployment, host, services, folder)
    except DeployError as error:
        raise SnapshotNotTaken(
            f"cannot take a snapshot of {', '.join(services)}: {error.what}", where=error.where,
            evidence=error.evidence, mend=error.mend,
        ) from error
    found = await asyncio.to_thread(measure, folder)
    seconds = asyncio.get_running_loop().time() - began
    tell.line(f"snapshot of {', '.join(services)}: {found.size_bytes / MEGABYTE:.1f} MB in {seconds:.1f} s")
    return Taken(tuple(services), found.files, found.size_bytes, round(seconds, 3))


async def put_back_snapshot(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: the databases become what they were, if a deploy hook was begun. May be repeated.

    Raises:
        SnapshotNotPutBack: They did not; says where the snapshot is and how a person puts it back.
    """
    taken, folder, mark = _taken(deployment), _folder(deployment, host), _mark(deployment, host)
    if taken is None:
        await _end_half_taken(deployment, host, await _databases(deployment, host))
    elif taken.services and deployment.journal.last("run_deploy_hook") is not None and not mark.exists():
        began = asyncio.get_running_loop().time()
        volumes = {name: deployment.names.volume(name) for name in taken.services}
        try:
            await _put_back(deployment, host, taken, volumes)
        except DeployError as error:
            raise _not_put_back(deployment, error, taken, folder) from error
        seconds = asyncio.get_running_loop().time() - began
        tell.line(f"{', '.join(taken.services)} as before the deploy hook again: the snapshot of "
                  f"{taken.size_bytes / MEGABYTE:.1f} MB was put back in {seconds:.1f} s")
        await asyncio.to_thread(_touch, mark)
    await remove_snapshot(deployment, host)


async def remove_snapshot(deployment: Deployment, host: Host) -> None:
    """Let go of the snapshot of a deployment; none is fine."""
    await asyncio.to_thread(shutil.rmtree, _folder(deployment, host), True)


async def _end_half_taken(deployment: Deployment, host: Host, services: Iterable[str]) -> None:
    await end_copying(deployment, host)
    await together(host.engine.ensure_not_paused(deployment.names.service(name)) for name in services)


async def _settle(deployment: Deployment, host: Host, name: str, parts: Parts) -> None:
    # Docker calls what is paused unhealthy, until it has asked again: let it ask each second.
    for argv in (("rm", "-f", READY_MARK), *([parts.settle] if parts.settle else [])):
        ended = await host.engine.execute(deployment.names.service(name), argv, limit_seconds=SETTLE_SECONDS)
        if ended.status != 0:
            lines = ended.stderr.decode(errors="replace").splitlines()
            raise DeployError(f"{argv[0]} ended with exit status {ended.status}", evidence=tuple(lines[-20:]))


async def _copy_paused(deployment: Deployment, host: Host, services: dict[str, Database], folder: Path) -> None:
    containers = [deployment.names.service(name) for name in services]
    try:
        await together(host.engine.ensure_paused(name) for name in containers)
        await copy_out(
            deployment, host, {name: deployment.names.volume(name) for name in services},
            next(iter(services.values())).image, folder,
            keep_free_bytes=host.settings.min_free_disk_mb * MEGABYTE, limit_seconds=COPY_SECONDS,
        )
    finally:
        await together(host.engine.ensure_not_paused(name) for name in containers)


async def _put_back(deployment: Deployment, host: Host, taken: Taken, volumes: dict[str, str]) -> None:
    folder = _folder(deployment, host)
    found = await asyncio.to_thread(measure, folder)
    if found != Measured(taken.files, taken.size_bytes):
        raise DeployError(
            f"the snapshot has {found.files} files with {found.size_bytes} bytes, and {taken.files} with "
            f"{taken.size_bytes} were written",
        )
    for container in await host.engine.containers({
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
        ACTIVITY: str(deployment.id), ROLE: "app",
    }):
        await host.engine.stop(container.name, 0)   # it goes anyway, and must not write into what is put back
    containers = [deployment.names.service(name) for name in volumes]
    await together(host.engine.stop(name, 0) for name in containers)   # what it would still write goes
    await copy_back(deployment, host, volumes, _images(deployment)[taken.services[0]], folder,
                    limit_seconds=COPY_SECONDS)
    await together(host.engine.start(name) for name in containers)
    await together(host.engine.wait_until_healthy(name, READY_SECONDS) for name in containers)


def _not_put_back(deployment: Deployment, error: DeployError, taken: Taken, folder: Path) -> SnapshotNotPutBack:
    names, images = deployment.names, _images(deployment)
    commands = " && ".join(
        by_hand(names.service(name), names.volume(name), images[name], folder / name) for name in taken.services
    )
    return SnapshotNotPutBack(
        f"{', '.join(taken.services)} cannot be made what they were before the deploy hook: {error.what}",
        where=str(folder), evidence=error.evidence,
        mend=f"the snapshot is kept in {folder}; mend the cause and `deployd undo retry {deployment.id}`, or put it "
             f"back by hand ({commands}) and `deployd undo skip {deployment.id}`",
    )


async def _databases(deployment: Deployment, host: Host) -> dict[str, Database]:
    """{service: …}: those whose data can be copied and were there before this deployment."""
    images = _images(deployment)
    found = {}
    for service in (await read_config(deployment, host)).services:
        if service.kind in NO_CONTAINER:
            continue
        parts = family_of(service).parts(service, memory_mb=host.settings.size(service.size).memory_mb)
        made_now = {**deployment.names.labels("volume", service.name), MADE_BY: str(deployment.id)}
        if parts.crash_safe and parts.volume_path and not await host.engine.volumes(made_now):
            found[service.name] = Database(images[service.name], parts)
    return found


def _images(deployment: Deployment) -> dict[str, str]:
    return {version.name: version.image_id for version in deployment.planned.version.services}


def _wanted(deployment: Deployment, host: Host) -> bool:
    own = deployment.project.snapshot_before_deploy
    return host.settings.snapshot_before_deploy if own is None else own


def _taken(deployment: Deployment) -> Taken | None:
    """None: the snapshot was begun and is not whole."""
    try:
        return deployment.journal.result("take_snapshot", Taken)
    except LookupError:
        return None


def _folder(deployment: Deployment, host: Host) -> Path:
    return host.places.snapshot(deployment.project.id, deployment.environment, deployment.id)


def _mark(deployment: Deployment, host: Host) -> Path:
    """There once everything is put back: the undo may be repeated when the snapshot is gone already. Goes with the
    version's folder."""
    return host.places.version(deployment.project.id, deployment.environment, deployment.id) / "snapshot-put-back"


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


def _touch(mark: Path) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
