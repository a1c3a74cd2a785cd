"""What was put aside (`confined/trash.py`) is removed, by and by. Also what a daemon before us has left."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import ClassVar

from deployd.activity.error_boundary import ErrorBoundary
from deployd.confined.trees import remove_tree
from deployd.errors import DeployError

ROUND_SECONDS = 1.0
REMOVING = "removing what goes:"


class NotRemoved(DeployError):
    """Something that nobody needs any more cannot be removed."""

    code: ClassVar[str] = "not-removed"


async def remove_what_goes(going: Path, boundary: ErrorBoundary, *, round_seconds: float = ROUND_SECONDS) -> None:
    """Do so for ever. One tree that cannot be removed keeps no other, and is tried again after a pause."""
    while True:
        names = await asyncio.to_thread(_names, going)
        for name in names:
            item = f"{REMOVING} {name}"
            if boundary.may_try(item):
                with boundary.contain(item):
                    await _remove(going / name)
        boundary.keep_only((f"{REMOVING} {name}" for name in names), beginning=REMOVING)
        await asyncio.sleep(round_seconds)


async def _remove(tree: Path) -> None:
    await remove_tree(tree, gently=True)
    if await asyncio.to_thread(os.path.lexists, tree):
        raise NotRemoved("rm could not remove all of it", where=str(tree), hint=f"`rm -rf {tree}` says why")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
