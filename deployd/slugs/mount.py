"""Slugs as folders: loop-mounted, read-only. What is mounted is asked of the kernel and remembered nowhere.

The loop device frees itself with the last user (`-o loop` sets autoclear), so none leaks when the daemon dies, and a
container keeps its slug even when the host has unmounted it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from deployd.confined.mountinfo import Mounted, read_mounts
from deployd.process import ProgramFailed, run
from deployd.slugs.errors import SlugNotMounted

MOUNT_SECONDS = 30
FILE_SYSTEM = "squashfs"
"""As the kernel calls what a slug is."""


async def ensure_mounted(slug: Path, folder: Path) -> Path:
    """Have a slug's file mounted on a folder. One caller at a time for each folder.

    Raises:
        SlugNotMounted: The kernel refused.
    """
    if await mounted(folder):
        return folder
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    try:
        await run("mount", "-t", "squashfs", "-o", "loop,ro,nodev,nosuid", str(slug), str(folder),
                  limit_seconds=MOUNT_SECONDS)
    except ProgramFailed as error:
        raise SlugNotMounted(
            f"cannot mount the slug {slug.name}", where=str(folder), evidence=error.evidence,
            hint="deployd needs root, loop devices and squashfs on the host: `deployd doctor` looks for them",
        ) from None
    return folder


async def ensure_unmounted(folder: Path) -> None:
    """Unmount a folder and remove it; not mounted is fine. Who still reads in it keeps what is open.

    Raises:
        SlugNotMounted: The kernel refused.
    """
    while await mounted(folder):
        try:
            await run("umount", "--lazy", str(folder), limit_seconds=MOUNT_SECONDS)
        except ProgramFailed as error:
            if not await mounted(folder):
                break
            raise SlugNotMounted(
                f"cannot unmount the slug at {folder}", where=str(folder), evidence=error.evidence,
            ) from None
    await asyncio.to_thread(_remove_empty, folder)


async def mounted(folder: Path) -> bool:
    """Whether something is mounted exactly there."""
    path = await asyncio.to_thread(folder.resolve)
    return any(item.path == path for item in await asyncio.to_thread(read_mounts))


async def mounts_below(folder: Path) -> tuple[Mounted, ...]:
    """Everything that is mounted below a folder."""
    path = await asyncio.to_thread(folder.resolve)
    return tuple(item for item in await asyncio.to_thread(read_mounts) if path in item.path.parents)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()
