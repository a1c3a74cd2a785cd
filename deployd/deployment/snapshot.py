"""Databases and mounts as they were before the deploy hook: copied in the freeze, put back when it is reverted.

    take_snapshot       databases paused ─► their files copied ─► they go on    it exists once the journal has its end
                        mounts kept beside that
    put_back_snapshot   new containers ended ─► databases stopped ─► files put back ─► databases started
                                             ─► mounts put back

All are paused at once, so that the snapshot is of one moment; whoever talks to one waits, and no connection breaks.
Files hold users, privileges, routines, sequences and large objects like any row, and copying them is several times
faster than a dump.
Surprise: what is half taken is never put back, because only what the journal calls done is there to be put back.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from deployd.activity.incidents import unwrap
from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.confined.trees import count_files
from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import Frozen, Taken
from deployd.errors import DeployError
from deployd.release.configuration import read_config
from deployd.release.data.databases import (
    Database,
    copy_files,
    databases_before,
    end_half_copied,
    replace_files,
)
from deployd.release.data.mount_copy import (
    Keeping,
    by_hand_command,
    folders_of,
    open_keeping,
    put_mounts_back,
    remove_snapshot,
    write_request,
)
from deployd.release.data.volume_copy import by_hand
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.version_removal import end_new_apps
from deployd.units import megabytes

UNDER_WAY_SECONDS = 0.5
"""Requests that the router had sent on before the freeze end within this time, mostly."""


class SnapshotNotTaken(DeployError):
    """The databases could not be copied; the deploy hook is not run without."""

    code: ClassVar[str] = "snapshot-not-taken"


class SnapshotNotPutBack(DeployError):
    """Databases or mounts are not as they were before the deploy hook; the snapshot is kept."""

    code: ClassVar[str] = "snapshot-not-put-back"


async def take_snapshot(deployment: Deployment, host: Host, tell: Tell) -> Taken:
    """Copy the environment's databases and mounts, when that is wanted and a deploy hook is about to change them.

    Raises:
        SnapshotNotTaken: There is too little room, or a database does not let itself be copied.
    """
    half_taken = deployment.journal.last("take_snapshot") is not None   # by a daemon before us
    wanted = _wanted(deployment, host) and deployment.journal.result("freeze", Frozen).held
    if not wanted and not half_taken:
        return Taken(())
    databases = await databases_before(deployment.release, host)
    if half_taken:
        await end_half_copied(deployment.release, host, databases)
    if not wanted:
        return Taken(())
    folders = folders_of(await read_config(deployment.release, host))
    if not databases and not folders:
        tell.line("no snapshot: there is no database that was there before, and no mount")
        return Taken(())
    return await _take(deployment, host, tell, databases, folders)


async def put_back_snapshot(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: the databases become what they were, if a deploy hook was begun. May be repeated.

    Raises:
        SnapshotNotPutBack: They did not; says where the snapshot is and how a person puts it back.
    """
    taken = deployment.taken
    if taken is None:
        await end_half_copied(deployment.release, host, await databases_before(deployment.release, host))
    elif taken.names and _may_have_changed(deployment):
        await _put_back(deployment, host, tell, taken)
    await remove_snapshot(deployment.release, host)


async def _take(
    deployment: Deployment, host: Host, tell: Tell, databases: tuple[Database, ...], folders: tuple[str, ...],
) -> Taken:
    folder, services = _folder(deployment, host), tuple(database.name for database in databases)
    await move_to_trash(folder, host.places.going)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True)
    async with open_keeping(deployment.release, host, tell, folders, folder) as keeping:
        await asyncio.sleep(UNDER_WAY_SECONDS)
        began = asyncio.get_running_loop().time()
        try:
            kept = await _copy(deployment, host, keeping, databases, folder)
        except DeployError as error:
            raise SnapshotNotTaken(
                f"cannot take a snapshot of {', '.join(services)}: {error.what}", where=error.where,
                evidence=error.evidence, hint=error.hint,
            ) from error
    if kept:
        await asyncio.to_thread(write_request, deployment.release, host, kept, folder)
    files, size = await count_files(folder)
    seconds = asyncio.get_running_loop().time() - began
    taken = Taken(services, files, size, round(seconds, 3), tuple(name for _, name in kept))
    if taken.names:
        tell.line(f"snapshot of {', '.join(taken.names)}: {megabytes(size):.1f} MB in {seconds:.1f} s")
    return taken


async def _copy(
    deployment: Deployment, host: Host, keeping: Keeping, databases: tuple[Database, ...], folder: Path,
) -> tuple[tuple[int, str], ...]:
    try:
        async with asyncio.TaskGroup() as group:
            mounts = group.create_task(keeping.keep(), name="snapshot of mounts")
            if databases:
                group.create_task(copy_files(deployment.release, host, databases, folder), name="snapshot of databases")
    except ExceptionGroup as failed:
        raise unwrap(failed) from None
    return mounts.result()


async def _put_back(deployment: Deployment, host: Host, tell: Tell, taken: Taken) -> None:
    mark = _mark(deployment, host)
    if mark.exists():
        return
    began = asyncio.get_running_loop().time()
    databases = tuple(item for item in await databases_before(deployment.release, host) if item.name in taken.services)
    folder = _folder(deployment, host)
    try:
        await _refuse_damaged(taken, folder)
        await end_new_apps(deployment.release, host)   # they go anyway, and must not write into what is put back
        await in_parallel((
            *((replace_files(deployment.release, host, databases, folder),) if databases else ()),
            *((put_mounts_back(folder),) if taken.mounts else ()),
        ))
    except DeployError as error:
        raise _not_put_back(deployment, error, taken, databases, folder) from error
    seconds = asyncio.get_running_loop().time() - began
    tell.line(f"{', '.join(taken.names)} as before the deploy hook again: the snapshot of "
              f"{megabytes(taken.size_bytes):.1f} MB was put back in {seconds:.1f} s")
    await asyncio.to_thread(_touch, mark)


async def _refuse_damaged(taken: Taken, folder: Path) -> None:
    files, size = await count_files(folder)
    if (files, size) != (taken.files, taken.size_bytes):
        raise DeployError(
            f"the snapshot has {files} files with {size} bytes, and {taken.files} with "
            f"{taken.size_bytes} were written",
        )


def _not_put_back(
    deployment: Deployment, error: DeployError, taken: Taken, databases: tuple[Database, ...], folder: Path,
) -> SnapshotNotPutBack:
    commands = " && ".join((
        *(by_hand(database.container, database.volume, database.image, folder / database.name)
          for database in databases),
        *((" ".join(by_hand_command(folder)),) if taken.mounts else ()),
    ))
    return SnapshotNotPutBack(
        f"{', '.join(taken.names)} cannot be made what they were before the deploy hook: {error.what}",
        where=str(folder), evidence=error.evidence,
        hint=f"the snapshot is kept in {folder}; mend the cause and `deployd undo retry {deployment.id}`, or put it "
             f"back by hand ({commands}) and `deployd undo skip {deployment.id}`",
    )


def _wanted(deployment: Deployment, host: Host) -> bool:
    own = deployment.project.snapshot_before_deploy
    return host.settings.snapshot_before_deploy if own is None else own


def _may_have_changed(deployment: Deployment) -> bool:
    """Whether a deploy hook was begun, or a service made anew: one in a newer version upgrades its files."""
    anew = deferred_of(deployment).services and deployment.journal.last("replace_services") is not None
    return bool(anew) or deployment.journal.last("run_deploy_hook") is not None


def _folder(deployment: Deployment, host: Host) -> Path:
    return host.places.snapshot(deployment.environment, deployment.id)


def _mark(deployment: Deployment, host: Host) -> Path:
    """There once everything is put back: the undo may be repeated when the snapshot is gone already. Goes with the
    version's folder."""
    return host.places.version(deployment.environment, deployment.id) / "snapshot-put-back"


def _touch(mark: Path) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
