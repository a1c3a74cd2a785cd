"""Removes all that one deployd made on this machine, and looks whether something is left.

Found by label (Docker) and by path (mounts, loop devices), never by what a daemon remembers: it works as well after a
crash. What belongs to other daemons is not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Awaitable
from pathlib import Path

import aiodocker

from deployd.confined.trees import remove_tree
from deployd.engine.names import INSTANCE, bridge_prefix
from deployd.firewall.kernel_table import ensure_table_gone, is_there
from deployd.firewall.rules import table_name
from deployd.process import run

SSH = "-m deployd.ssh "
OCTAL = re.compile(r"\\([0-7]{3})")


async def remove_all(instance: str, directory: Path) -> list[str]:
    """Remove containers, networks, volumes and firewall of an instance, and all below its directory.

    Returns:
        What was removed, in words: `4 containers`, …
    """
    removed = []
    ended = await _end_ssh(directory)
    removed.append(_many(ended, "SSH server"))
    async with aiodocker.Docker() as docker:
        containers = await _containers(docker, instance)
        async with asyncio.TaskGroup() as group:
            for container in containers:
                group.create_task(_remove_container(container), name="remove container")
        removed.append(_many(len(containers), "container"))
        networks = await _networks(docker, instance)
        for network in networks:
            await _remove_network(aiodocker.networks.DockerNetwork(docker, network))
        removed.append(_many(len(networks), "network"))
        volumes = await _volumes(docker, instance)
        for volume in volumes:
            await _ignore_missing((await docker.volumes.get(volume)).delete())
        removed.append(_many(len(volumes), "volume"))
    if await ensure_table_gone(table_name(instance)):
        removed.append("the firewall")
    mounts = mounts_below(directory)
    for mount in reversed(mounts):          # the innermost first
        await _unmount(mount)
    removed.append(_many(len(mounts), "mount"))
    loops = loops_below(directory)
    for loop in loops:
        await run("losetup", "--detach", loop, check=False)
    if loops:
        removed.append(_many(len(loops), "loop device"))
    if directory.exists():
        await remove_tree(directory)   # a hostile tree may be deeper than Python can recurse
        removed.append(f"the folder {directory}")
    return [item for item in removed if not item.startswith("0 ")]


async def left_behind(instance: str, directory: Path) -> list[str]:
    """What is still there of an instance, each in words; an empty list is the aim."""
    async with aiodocker.Docker() as docker:
        left = [f"container {container.id[:12]}" for container in await _containers(docker, instance)]
        left += [f"network {name}" for name in await _networks(docker, instance)]
        left += [f"volume {name}" for name in await _volumes(docker, instance)]
    left += [f"interface {path.name}" for path in Path("/sys/class/net").glob(f"{bridge_prefix(instance)}*")]
    left += [f"firewall {table_name(instance)}"] if await is_there(table_name(instance)) else []
    left += [f"mount {path}" for path in mounts_below(directory)]
    left += [f"loop device {path}" for path in loops_below(directory)]
    left += [f"process {pid} ({command})" for pid, command in processes_of(directory)]
    left += [f"folder {directory}"] if directory.exists() else []
    return left


def mounts_below(directory: Path) -> list[str]:
    """Mount points below a directory, the outermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        path = OCTAL.sub(lambda match: chr(int(match[1], 8)), line.split()[4])
        if _below(path, directory):
            found.append(path)
    return sorted(found, key=lambda path: path.count("/"))


def loops_below(directory: Path) -> list[str]:
    """Loop devices whose file lies below a directory, also when the file is gone."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            path = backing.read_text().strip().removesuffix(" (deleted)")
        except OSError:     # detached while we looked
            continue
        if _below(path, directory):
            found.append(f"/dev/{backing.parent.parent.name}")
    return sorted(found)


def processes_of(directory: Path) -> list[tuple[int, str]]:
    """(process id, command) of programs that were started with a path below a directory, but for us and our parents."""
    ours = set()
    pid = os.getpid()
    while pid > 1:
        ours.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if int(folder.name) not in ours and f"{directory}/" in command:
            found.append((int(folder.name), command[:200]))
    return found


async def _end_ssh(directory: Path) -> int:
    """End what listens for SSH: it outlives its daemon."""
    pids = [pid for pid, command in processes_of(directory) if SSH in command]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    while any(Path(f"/proc/{pid}").exists() for pid in pids):   # noqa: ASYNC110  no child of ours
        await asyncio.sleep(0.02)
    return len(pids)


async def _unmount(path: str) -> None:
    if (await run("umount", path, check=False)).status != 0:
        await run("umount", "--lazy", path, check=False)    # still looked at by someone; it goes when they do


async def _containers(docker: aiodocker.Docker, instance: str) -> list[aiodocker.containers.DockerContainer]:
    return await docker.containers.list(all=True, filters={"label": [f"{INSTANCE}={instance}"]})


async def _networks(docker: aiodocker.Docker, instance: str) -> list[str]:
    found = await docker.networks.list(filters={"label": [f"{INSTANCE}={instance}"]})
    return [network["Id"] for network in found]   # a name may stand for two


async def _volumes(docker: aiodocker.Docker, instance: str) -> list[str]:
    found = await docker.volumes.list(filters={"label": [f"{INSTANCE}={instance}"]})
    return [volume["Name"] for volume in found["Volumes"] or []]


async def _remove_container(container: aiodocker.containers.DockerContainer) -> None:
    # Somebody else may be removing it just now, which the Engine calls a conflict: gone is what counts.
    for _ in range(300):
        try:
            await container.delete(force=True, v=True)
        except aiodocker.DockerError as error:
            if error.status == 404:
                return
            if error.status != 409:
                raise
        else:
            return
        await asyncio.sleep(0.1)


async def _remove_network(network: aiodocker.networks.DockerNetwork) -> None:
    """Docker 20.10 sometimes keeps an endpoint of a container that is gone, until it is started anew: then it stays."""
    for _ in range(20):
        try:
            await network.delete()
        except aiodocker.DockerError as error:
            if error.status == 404:
                return
            if error.status != 403:
                raise
        else:
            return
        await asyncio.sleep(0.1)


async def _ignore_missing(call: Awaitable[object]) -> None:
    try:
        await call
    except aiodocker.DockerError as error:
        if error.status != 404:
            raise


def _below(path: str, directory: Path) -> bool:
    return path == str(directory) or path.startswith(f"{directory}/")


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
