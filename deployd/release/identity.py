"""Who the processes of a project are in their containers: `web`, by a number that is the project's own.

Images know a user `web` with another number. Programs ask for the name of who they run as (node's `os.userInfo`, ssh,
git), so each container gets the two files that say so. They lie beside its other files, and are root's.
"""

from __future__ import annotations

from pathlib import Path

from deployd.engine.specs import Bind
from deployd.environment.platform import APP_FOLDER
from deployd.release.configuration_files import write_files

FOLDER = "identity"


def passwd(uid: int) -> str:
    """Content of /etc/passwd (passwd(5)): who Debian's programs expect, and `web`."""
    return (
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
        "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        f"web:x:{uid}:{uid}::{APP_FOLDER}:/bin/bash\n"
    )


def group(gid: int) -> str:
    """Content of /etc/group (group(5))."""
    return f"root:x:0:\ndaemon:x:1:\ntty:x:5:\nmail:x:8:\nwww-data:x:33:\nnogroup:x:65534:\nweb:x:{gid}:\n"


async def ensure_identity(parent: Path, uid: int) -> Path:
    """Have the folder with both files, below a folder of root's."""
    folder = parent / FOLDER
    await write_files(folder, {"passwd": passwd(uid), "group": group(uid)})
    return folder


def identity_binds(folder: Path) -> tuple[Bind, ...]:
    """What a container needs to know its own user by name."""
    return tuple(Bind(str(folder / name), f"/etc/{name}", read_only=True) for name in ("passwd", "group"))
