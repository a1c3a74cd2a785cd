"""Configuration files that containers see and cannot write: below folders of root's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import aiofiles
import aiofiles.os


async def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a folder that a container will see; what is right stays: a container may be reading it.

    In place, because a container sees a single file by its inode.
    """
    await aiofiles.os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        if await _read(folder / name) != text:
            async with aiofiles.open(folder / name, "w") as file:
                await file.write(text)


async def _read(file: Path) -> str | None:
    try:
        async with aiofiles.open(file) as found:
            return str(await found.read())
    except FileNotFoundError:
        return None
