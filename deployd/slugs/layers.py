"""A build's tree as layers of an overlay: the commit's files, what was kept of earlier builds, what this one writes.

    <run>/0 …         kept layers, each mounted read-only
         /tree        all of them together, with one folder on top that is written into

Below what is written into nothing is ever changed, whatever a build does: no copy, and no link into something shared.
What is mounted is asked of the kernel; nothing is remembered. Surprise: the writable folder and the overlay's work
folder must be on one disk that is no overlay itself.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.confined.trees import remove_tree
from deployd.errors import DeployError
from deployd.process import ProgramFailed, run
from deployd.slugs.mount import MOUNT_SECONDS, ensure_unmounted, mounted, mounts_below
from deployd.slugs.mount import ensure_mounted as ensure_slug_mounted

OPTIONS = "nosuid,nodev,xino=on"
"""`xino`: all files say that they are on one disk, by which programs tell what belongs to a tree."""


class LayersNotMounted(DeployError):
    """The layers of a build could not be put together."""

    code: ClassVar[str] = "layers-not-mounted"


@dataclass(frozen=True, slots=True)
class Top:
    """Where a tree is written into."""

    upper: Path
    work: Path
    """Of the kernel; on the same disk."""


async def ensure_tree(folder: Path, lower: Sequence[Path], top: Top, *, moves_folders: bool) -> Path:
    """Have these layers mounted as one tree at `folder/tree`; a file is a packed layer and is mounted first.

    Args:
        lower: The lowest first.
        moves_folders: A folder of a lower layer is renamed in one move. Not where the top becomes a layer that is kept:
            it would say where the folder was, and have none of its files.

    Raises:
        LayersNotMounted, SlugNotMounted: The kernel refused.
    """
    tree = folder / "tree"
    if await mounted(tree):
        return tree
    await asyncio.to_thread(tree.mkdir, parents=True, exist_ok=True)
    folders = []
    for number, layer in enumerate(lower):
        packed = await asyncio.to_thread(layer.is_file)
        folders.append(await ensure_slug_mounted(layer, folder / f"{number}") if packed else layer)
    below = ":".join(str(path) for path in reversed(folders))
    options = f"lowerdir={below},upperdir={top.upper},workdir={top.work},{OPTIONS}"
    options += f",redirect_dir={'on' if moves_folders else 'off'}"
    try:
        # The kernel's newer interface, which newer programs prefer, takes no more than 256 bytes for all lower folders.
        await run("env", "LIBMOUNT_FORCE_MOUNT2=always", "mount", "-t", "overlay", "overlay", "-o", options, str(tree),
                  limit_seconds=MOUNT_SECONDS)
    except ProgramFailed as error:
        raise LayersNotMounted(
            "cannot put the layers of a build together", where=str(tree), evidence=error.evidence,
            hint="the host needs overlayfs, and `state` on a disk that is none; `build.reuse: false` does without",
        ) from None
    return tree


async def ensure_no_tree(folder: Path) -> None:
    """Unmount a tree and its layers, or all of them below a folder; not mounted is fine."""
    paths = {item.path for item in await mounts_below(folder)}
    for path in sorted(paths, key=lambda path: (path.name != "tree", str(path))):   # a tree goes before its layers
        await ensure_unmounted(path)
    await _remove_empty(folder)


async def why_no_layers(folder: Path) -> str:
    """Why this host cannot put layers together below a folder, by trying it; "": it can."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    trial = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="trial-", dir=folder))
    try:
        top = Top(trial / "upper", trial / "work")
        for path in (trial / "lower", top.upper, top.work):
            await asyncio.to_thread(path.mkdir)
        await ensure_tree(trial / "mounts", [trial / "lower"], top, moves_folders=True)
    except (LayersNotMounted, OSError) as error:
        return " ".join(getattr(error, "evidence", ())) or str(error)
    finally:
        await ensure_no_tree(trial / "mounts")
        await remove_tree(trial)
    return ""


async def _remove_empty(folder: Path) -> None:
    """Nothing is in it but folders on which something was mounted."""
    await run("find", str(folder), "-xdev", "-depth", "-type", "d", "-empty", "-delete", check=False)
