"""A Docker Engine of its own on a host of its own (own_host.py), which can be killed as a power cut kills it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

from deployd.process import run
from scripts.removal import mounts_below

START_SECONDS = 120.0
ENGINE = frozenset({"dockerd", "containerd"})
SHIM = "containerd-shim"


class OwnEngine:
    """One dockerd with its own containerd, all of it below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self._data, self._exec, self._pid = folder / "data", folder / "exec", folder / "docker.pid"
        self._running: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._pid.unlink(missing_ok=True)
        with (self.folder / "dockerd.log").open("ab") as log:
            self._running = subprocess.Popen(
                ("dockerd", "--data-root", self._data, "--exec-root", self._exec, "--pidfile", self._pid,
                 "--host", f"unix://{self.socket}", "--cgroup-parent", f"/{self.folder.name}"),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )
        async with asyncio.timeout(START_SECONDS):
            while (await self.docker("version", check=False)).returncode != 0:
                if self._running.poll() is not None:
                    raise AssertionError((self.folder / "dockerd.log").read_text()[-3000:])
                await asyncio.sleep(0.1)

    async def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run, ("docker", "--host", f"unix://{self.socket}", *arguments), capture_output=True, text=True,
            check=check,
        )

    async def kill(self) -> None:
        """SIGKILL of the Engine alone: containers go on, until another Engine ends them at its start."""
        _kill(pid for pid, name in _processes() if name in ENGINE)
        await self._reap()

    async def cut_power(self) -> None:
        """SIGKILL of everything at once; what a host's memory held is gone: mounts, bridges, run folders."""
        parents = dict(_parents())
        shims = {pid for pid, name in _processes() if name.startswith(SHIM)}
        inside = {pid for pid in parents if _descends(pid, shims, parents)}
        _kill([*(pid for pid, name in _processes() if name in ENGINE), *shims, *inside])
        await self._reap()
        for mount in reversed(mounts_below(self.folder)):
            await run("umount", "--lazy", mount, check=False)
        for link in json.loads((await run("ip", "-json", "link", "show", "type", "bridge")).text or "[]"):
            await run("ip", "link", "delete", link["ifname"])
        rmtree(self._exec, ignore_errors=True)

    async def _reap(self) -> None:
        if self._running is not None:
            await asyncio.to_thread(self._running.wait)


def _processes() -> Iterator[tuple[int, str]]:
    """(process id, name) of everything on this host, which is ours alone."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "comm").read_text().strip()
        except OSError:
            continue


def _parents() -> Iterator[tuple[int, int]]:
    for pid, _ in _processes():
        try:
            yield pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue


def _descends(pid: int, ancestors: set[int], parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid in ancestors:
            return True
    return False


def _kill(pids: Iterator[int] | list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
