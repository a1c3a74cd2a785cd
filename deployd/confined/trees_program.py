"""A program of its own that takes snapshots of a tenant's trees, or restores them: killable, and no work of ours.

    python -I -m deployd.confined.trees_program          keeps them, asked by a line of JSON on its input
    python -I -m deployd.confined.trees_program FILE     puts them back, asked by a file

To keep them it looks at them first, and copies when a second line says that visitors wait now. It says a line of JSON
for each tree, and ends early when its input is closed: then nobody waits for it. What puts back goes on to its end.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from deployd.confined.beneath import sync_disk
from deployd.confined.tree_restore import restore
from deployd.confined.tree_snapshot import Bounds, LeftOut, measure, shares_contents, take_snapshot
from deployd.errors import DeployError

LOOK_SECONDS = 2.0


def main() -> None:
    try:
        if sys.argv[1:]:
            restore_all(json.loads(Path(sys.argv[1]).read_bytes()))
        else:
            take_all(json.loads(sys.stdin.buffer.readline()))
    except (DeployError, OSError) as error:
        sys.exit(why(error))


def take_all(asked: dict[str, Any]) -> None:
    root, to = Path(asked["root"]), Path(asked["to"])
    to.mkdir(mode=0o700)
    room = os.statvfs(to)
    bounds = Bounds(
        asked["size_bytes"], time.monotonic() + asked["seconds"], asked["seconds"],
        room.f_bavail * room.f_frsize - asked["keep_free_bytes"], shares=shares_contents(to),
    )
    sizes, last = {}, bounds.end
    for number, folder in enumerate(asked["folders"]):
        bounds.end = min(last, time.monotonic() + LOOK_SECONDS)   # one that takes long keeps no other from its turn
        try:
            sizes[number] = measure(root, folder, bounds)
        except FileNotFoundError:
            sizes[number] = 0
        except (LeftOut, DeployError, OSError) as error:
            say({"folder": folder, "left_out": why(error)})
    if not sys.stdin.buffer.readline():
        return
    bounds.is_over, bounds.end = is_over, time.monotonic() + asked["seconds"]
    for number in sorted(sizes, key=sizes.__getitem__):
        folder = asked["folders"][number]
        try:
            files, size_bytes = take_snapshot(root, folder, to, number, bounds)
            say({"folder": folder, "number": number, "files": files, "size_bytes": size_bytes})
        except (LeftOut, DeployError, OSError) as error:
            say({"folder": folder, "left_out": why(error)})
    handle = os.open(to, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)


def restore_all(asked: dict[str, Any]) -> None:
    kept_in = Path(asked["from"])
    handle = os.open(kept_in, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_EX)   # one that a daemon before us started may not have ended yet
    changed = sum(
        restore(Path(asked["root"]), folder, kept_in, number, Path(asked["aside"]), asked["owner"])
        for number, folder in asked["folders"]
    )
    sync_disk(handle)   # what comes next is journalled, and then the snapshot goes
    say({"changed": changed})


def is_over() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def why(error: Exception) -> str:
    return error.what if isinstance(error, DeployError) else str(error)


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
