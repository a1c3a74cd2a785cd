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
    for name, text in files.items():
        await write_bytes(folder / name, text.encode())


async def write_bytes(path: Path, content: bytes) -> None:
    """The same for one file that is no text."""
    await aiofiles.os.makedirs(path.parent, exist_ok=True)
    if await _read(path) != content:
        async with aiofiles.open(path, "wb") as file:
            await file.write(content)


async def _read(file: Path) -> bytes | None:
    try:
        async with aiofiles.open(file, "rb") as found:
            return bytes(await found.read())
    except FileNotFoundError:
        return None
