"""The read-write folders of an environment: where containers get them from, and whom they belong to.

    volumes/<instance>/<source_path>    data of the mounts of an instance, outlives deployments
    volumes/shared/<service>/…          of a network storage, seen by all who mount it
    versions/<version>/<instance>/tmp/… of the source `tmp`, goes with its version

Applications write in there, so nobody uses these paths but `confined/stages.py`, which mounts each folder where a
container cannot change what leads to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from deployd.confined.beneath import NotBeneath, open_folder, read_file, write_file
from deployd.confined.stages import Folder, ensure_staged
from deployd.confined.trees import count_files, give_tree
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.project.model import Application, Instance, Mount, ProjectConfig
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.version import FIRST_UID, Version, worker_part

OWNER_FILE, OWNER_BYTES = "owner", 16
"""Beside the data, where no container writes: number of the user that all of it belongs to."""


class MountBlocked(DeployError):
    """The folder of a mount cannot be had: its application has put a link or a file in its place."""

    code: ClassVar[str] = "mount-blocked"


def ordered(instance: Instance) -> list[Mount]:
    """The mounts of an instance, in the order in which they are staged, and in which they may be mounted."""
    return sorted(instance.mounts, key=lambda item: item.path)


async def stage_mounts(
    release: Release, host: Host, instance: Instance, instance_name: str,
) -> tuple[Path, ...]:
    """Have the folders of an instance's mounts, each mounted at a place of root's; in the order of `ordered`.

    Raises:
        MountBlocked: Something that the application made is in the way.
    """
    data = host.places.data(release.environment)
    own = host.places.instance(release.environment, release.home(instance_name), instance_name)
    mounts, folders = ordered(instance), []
    for mount in mounts:
        held = mounts_within(mount, mounts)
        if mount.source == "tmp":
            folders.append(Folder(own / "tmp", mount.source_path, held))
        else:
            volume = f"shared/{mount.service}" if mount.service else instance_name
            folders.append(Folder(data, f"{volume}/{mount.source_path}", held))
    stage = stage_of(release, host, instance_name)
    try:
        return await ensure_staged(stage, folders, release.version.uid)
    except NotBeneath as error:
        mount = mounts[error.number]
        if error.held:
            raise MountBlocked(
                f"cannot have the mount {mount.path}/{error.held} of {instance_name} within {mount.path}: in its place,"
                f" or on the way to it, there is {error.kind}", where=str(mount.place),
                hint="remove what the application or a hook put there, or mount the two side by side",
            ) from None
        raise MountBlocked(
            f"cannot have the mount {mount.path} of {instance_name}: on the way to its folder there is {error.kind}",
            where=str(mount.place),
            hint=f"remove what the application or a hook put in the place of `source_path: {mount.source_path}`, or"
                 " give the mount another one",
        ) from None


def stage_of(release: Release, host: Host, instance_name: str) -> Path:
    """Where the mounts of an instance are mounted for its containers."""
    return host.places.stages(release.environment, release.home(instance_name)) / instance_name


def mount_places(release: Release, host: Host, instance: Instance, instance_name: str) -> tuple[Path, ...]:
    """What `stage_mounts` gives, of mounts that need not be staged. Blocking."""
    stage = stage_of(release, host, instance_name).resolve()
    return tuple(stage / str(number) for number in range(len(instance.mounts)))


def mounts_within(outer: Mount, mounts: Iterable[Mount]) -> tuple[str, ...]:
    """Where in a mount others of the same instance are mounted."""
    prefix = f"{outer.path}/"
    return tuple(mount.path.removeprefix(prefix) for mount in mounts if mount.path.startswith(prefix))


async def stage_version(release: Release, host: Host, config: ProjectConfig) -> None:
    """Have the mounts of all instances of a version where its containers look for them: after a reboot nothing is."""
    for instance, name in instances_of(config.applications):
        await stage_mounts(release, host, instance, name)


def instances_of(apps: Iterable[Application]) -> list[tuple[Instance, str]]:
    """Every instance with mounts, and its name among the parts of a version."""
    found = [
        (instance, name) for app in apps for instance, name in (
            (app.web.instance, app.name),
            *((worker.instance, worker_part(app.name, worker.name)) for worker in app.workers),
        )
    ]
    return [(instance, name) for instance, name in found if instance.mounts]


async def ensure_data_owner(release: Release, host: Host, uid: int) -> bool:
    """Have all data of an environment's mounts belong to a user. May be repeated; mostly there is nothing to do.

    Returns:
        Whether it belonged to another one.

    Raises:
        ProgramFailed, ProgramOverran: Not all of it does; the next try goes on.
    """
    folder = host.places.environment(release.environment)
    if await asyncio.to_thread(_owner, folder) == uid:
        return False
    data = host.places.data(release.environment)
    given = await asyncio.to_thread(data.is_dir)
    if given:
        await give_tree(data, uid)
    await asyncio.to_thread(_write_owner, folder, uid)
    return given


async def belongs_to_another(release: Release, host: Host, uid: int) -> bool:
    """Whether there is data of mounts, of another user: giving it away takes it from who has it."""
    folder = host.places.environment(release.environment)
    data = host.places.data(release.environment)
    return await asyncio.to_thread(lambda: _owner(folder) != uid and data.is_dir())


async def files_to_give(
    host: Host, environment: EnvironmentId, before: Version | None, uid: int,
) -> int:
    """How many files of mounts get another owner, when a version of this user follows one of another."""
    data = host.places.data(environment)
    if before is None or before.uid == uid or not await asyncio.to_thread(data.is_dir):
        return 0
    return (await count_files(data))[0]


def _owner(folder: Path) -> int:
    """Whom the data belongs to; that of environments from before this was kept belongs to the user of that time."""
    try:
        with open_folder(folder) as held:
            text = read_file(held, OWNER_FILE, OWNER_BYTES)
    except FileNotFoundError:
        text = None
    return int(text) if text and text.isdigit() else FIRST_UID


def _write_owner(folder: Path, uid: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open_folder(folder) as held:
        write_file(held, OWNER_FILE, str(uid).encode(), mode=0o600)
