"""A host of its own inside this one: its processes, network and mounts are its own, and all end with it.

What kills an Engine must not meet the Engine that everybody uses: two of them on one network would take each other's
bridges and firewall rules away. So the scenarios that need this run as a program in namespaces of their own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

from deployd.process import Output, run
from scripts.local_daemon import ROOT

UNSHARED = (
    "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
    "sh", "-c", '"$@"; exit $?', "init",
)
"""The shell is the first process of the host, and takes the dead in, as an init does."""
IMAGES = ("deployd/base:trixie", "deployd/web:1", "deployd/router:1")
"""Brought along from the Engine that everybody uses: 200 MB, and enough for applications that are files only."""
LIMIT_SECONDS = 800
CGROUPS = Path("/sys/fs/cgroup")


async def in_own_host(module: str, *arguments: str, on_line: Callable[[str], None] = print) -> Output:
    """Run a module of ours as the only user of a new host; it gets the folder that it may use, then the arguments.

    In the folder lies `images.tar`. Nothing is left afterwards.
    """
    folder = Path(tempfile.mkdtemp(prefix="deployd-host-"))
    try:
        await run("docker", "save", "--output", str(folder / "images.tar"), *IMAGES, limit_seconds=300)
        return await run(
            *UNSHARED, sys.executable, "-u", "-m", module, str(folder), *arguments, cwd=ROOT, check=False,
            limit_seconds=LIMIT_SECONDS, on_line=lambda _, line: on_line(line),
        )
    finally:
        _remove_cgroups(folder.name)
        rmtree(folder)


def _remove_cgroups(name: str) -> None:
    """Control groups outlive those who were in them."""
    for top in [*CGROUPS.glob(f"*/{name}"), *CGROUPS.glob(name)]:
        for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            group.rmdir()
        top.rmdir()
