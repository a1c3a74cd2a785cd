"""Copying the volumes of services to a folder of the host, and back.

In a container of its own: whatever became of the daemon that started it, it is found by its name and ended before
anybody touches the same files again. It has the image of a service, which is there, and no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.engine.specs import Bind, ContainerSpec
from deployd.errors import DeployError
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.units import megabytes

NO_ROOM = 75
"""Exit status of OUT when the copy would leave too little room."""
OUT = f"""\
need=$(du -sk /from | cut -f 1) && free=$(df -Pk /to | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4) || exit 1
if [ $((need + $1)) -gt "$free" ]; then echo "$need $free"; exit {NO_ROOM}; fi
cp -a /from/. /to/ && sync -f /to"""
BACK = """\
for service in "$@"; do
    find "/to/$service" -mindepth 1 -delete && cp -a "/from/$service/." "/to/$service/" || exit 1
    sync -f "/to/$service" || exit 1
done"""
"""Both end with the data on the disk: what comes next is journalled, and then the other copy may go."""
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
KIBIBYTE = 1024


class CopyFailed(DeployError):
    """The files of a service could not be copied."""

    code: ClassVar[str] = "copy-failed"


@dataclass(frozen=True, slots=True)
class VolumeCopy:
    """What is copied, whereto and by what."""

    volumes: Mapping[str, str]
    """{folder below `folder`: volume}"""
    folder: Path
    image: str
    """Of any service; it has to have `cp`."""
    limit_seconds: float


async def copy_out(
    release: Release, host: Host, copy: VolumeCopy, *, keep_free_bytes: int, still: AbstractAsyncContextManager[None],
) -> None:
    """Copy volumes below a folder, one folder for each.

    Args:
        keep_free_bytes: What has to stay free on the disk.
        still: Entered when all is ready to be copied; who writes into the volumes stands still in it.

    Raises:
        CopyFailed: There is too little room, or reading or writing failed.
    """
    binds = (*(Bind(volume, f"/from/{name}", read_only=True) for name, volume in copy.volumes.items()),
             Bind(str(copy.folder), "/to"))
    spec = _container(release, copy.image, binds, OUT, str(keep_free_bytes // KIBIBYTE))
    status, lines = await _run(host, spec, copy.limit_seconds, still)
    if status == NO_ROOM:
        need, free = (int(word) * KIBIBYTE for word in lines[-1].split())
        raise CopyFailed(
            f"it needs {megabytes(need):.0f} MB, and {megabytes(free):.0f} MB are free at {copy.folder}, "
            f"of which {megabytes(keep_free_bytes):.0f} MB have to stay free",
            hint="make room on the disk, or lower min_free_disk_mb",
        )
    if status != 0:
        raise CopyFailed(f"copying ended with exit status {status}", where=str(copy.folder), evidence=lines)


async def copy_back(release: Release, host: Host, copy: VolumeCopy) -> None:
    """Replace what is in volumes with what `copy_out` made. May be done again after it was broken off.

    Raises:
        CopyFailed: A volume may be half filled; the folder is as it was.
    """
    binds = (*(Bind(volume, f"/to/{name}") for name, volume in copy.volumes.items()),
             Bind(str(copy.folder), "/from", read_only=True))
    spec = _container(release, copy.image, binds, BACK, *copy.volumes)
    status, lines = await _run(host, spec, copy.limit_seconds)
    if status != 0:
        raise CopyFailed(f"copying back ended with exit status {status}", where=str(copy.folder), evidence=lines)


async def end_copying(release: Release, host: Host) -> None:
    """End what a daemon before us began to copy; nothing under way is fine."""
    await host.engine.ensure_container_gone(_name(release), stop_seconds=0)


def by_hand(container: str, volume: str, image: str, folder: Path) -> str:
    """The commands by which a person puts one volume back."""
    copying = "find /to -mindepth 1 -delete && cp -a /from/. /to/"
    return (
        f"docker stop {container} && docker run --rm -v {volume}:/to -v {folder}:/from:ro --user 0 --entrypoint sh "
        f"{image} -c '{copying}' && docker start {container}"
    )


def _name(release: Release) -> str:
    return release.names.container(release.id, "snapshot", "services")


def _container(
    release: Release, image: str, binds: tuple[Bind, ...], script: str, *arguments: str,
) -> ContainerSpec:
    return ContainerSpec(
        name=_name(release), image=image, labels=release.names.labels("snapshot", "services", release.id),
        entrypoint=(), command=("sh", "-c", script, "deployd-copy", *arguments), user="0:0", binds=binds,
        capabilities=CAPABILITIES,
    )


async def _run(
    host: Host, spec: ContainerSpec, limit_seconds: float, still: AbstractAsyncContextManager[None] | None = None,
) -> tuple[int, tuple[str, ...]]:
    await host.engine.ensure_container_gone(spec.name, stop_seconds=0)
    try:
        await host.engine.create(spec)
        async with still or nullcontext():
            await host.engine.start(spec.name)
            status = await host.engine.wait_until_ended(spec.name, limit_seconds)
        return status, await host.engine.last_lines(spec.name)
    finally:
        await host.engine.ensure_container_gone(spec.name, stop_seconds=0)
