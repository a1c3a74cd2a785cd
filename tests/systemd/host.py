"""A host with a real systemd, in a container, on which deployd is installed as the unit expects it.

Its Docker Engine is ours. Engine and daemon must see the same mounts, as on a real host: what belongs to the daemon
lies in one directory that is mounted in the container at the same path, with mounts passed on in both directions.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployd.process import Output, run
from scripts.local_daemon import ROOT, LocalDaemon
from scripts.removal import left_behind, remove_all

IMAGE = "deployd-test/systemd:trixie"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
POOL = "10.224.0.0/16"   # a machine of its own: daemons of other tests have the usual pool, and listen on its gateways
INSTALLED = "/opt/deployd"
SOURCES = "pyproject.toml README.md LICENSE deployd config"
# What the unit's CapabilityBoundingSet names, and what systemd itself needs beyond Docker's own set.
CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "DAC_READ_SEARCH")
LIMIT_SECONDS = 120.0


@dataclass
class SystemdHost:
    """One machine. `daemon` has the settings, and pushes to it; only systemd starts and ends it."""

    container: str
    daemon: LocalDaemon

    async def sh(self, *argv: str, check: bool = True, limit_seconds: float = LIMIT_SECONDS) -> Output:
        """Run a program on the host."""
        return await run("docker", "exec", self.container, *argv, check=check, limit_seconds=limit_seconds)

    async def systemctl(self, *argv: str) -> str:
        done = await self.sh("systemctl", *argv, check=False)
        assert done.status == 0, (argv, done.text, done.stderr.decode(), await self.journal())
        return done.text

    async def show(self, *names: str, unit: str = "deployd.service") -> dict[str, str]:
        """Properties of a unit, as `systemctl show` gives them."""
        text = await self.systemctl("show", unit, *(f"--property={name}" for name in names))
        return dict(line.split("=", 1) for line in text.splitlines())

    async def until(self, unit: str = "deployd.service", **wanted: str) -> dict[str, str]:
        """Wait until the unit's properties are these."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while (seen := await self.show(*wanted, unit=unit)) != wanted:
                await asyncio.sleep(0.2)
        return seen

    async def journal(self) -> str:
        return (await self.sh("journalctl", "--unit=deployd", "--no-pager", "--lines=60", check=False)).text

    def write_settings(self, more: Mapping[str, Any]) -> None:
        self.daemon.settings = {**self.daemon.settings, **more}
        self.daemon.write_settings()


@asynccontextmanager
async def systemd_host(projects: tuple[str, ...], overrides: Mapping[str, str]) -> AsyncIterator[SystemdHost]:
    """Boot a host with deployd installed, its units in place and not started.

    Args:
        overrides: {unit: drop-in text}
    """
    directory = Path(tempfile.mkdtemp(prefix="deployd-systemd-"))
    name = f"test-systemd-{os.urandom(3).hex()}"
    daemon = LocalDaemon(directory / "own", {project: {} for project in projects}, instance=name)
    folder = Path(__file__).parent
    await run("docker", "build", "--quiet", "--tag", IMAGE, str(folder), limit_seconds=600)
    await run("mount", "--bind", str(directory), str(directory))
    await run("mount", "--make-shared", str(directory))
    try:
        daemon.write_settings()
        await _boot(name, directory)
        host = SystemdHost(name, daemon)
        await _install(host, overrides)
        yield host
    finally:
        await run("docker", "rm", "--force", name, check=False)
        await remove_all(name, directory / "own")
        await run("umount", str(directory))
        directory.rmdir()
    assert await left_behind(name, directory) == []


async def _boot(name: str, directory: Path) -> None:
    await run(
        "docker", "run", "--detach", "--name", name, "--hostname", "build-host", "--network", "host",
        "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--cgroupns", "host",
        *(f"--cap-add={capability}" for capability in CAPABILITIES),
        *(f"--tmpfs={path}" for path in ("/run", "/run/lock", "/tmp")),
        "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro",
        "--volume", "/dev:/dev", "--device-cgroup-rule", "a *:* rwm",      # loop devices
        "--volume", "/var/run/docker.sock:/outside/docker.sock",
        "--volume", f"{directory}:{directory}:rshared",
        "--volume", f"{ROOT}:/source:ro",
        "--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro",
        IMAGE,
    )


async def _install(host: SystemdHost, overrides: Mapping[str, str]) -> None:
    """As an operator does it: a wheel into /opt/deployd, settings and units in /etc."""
    booted = "until systemctl is-system-running --wait | grep -qE 'running|degraded'; do sleep 0.2; done"
    await host.sh("sh", "-c", booted)
    await host.sh("python3", "-m", "venv", f"{INSTALLED}/.venv")
    await host.sh("sh", "-c", f"mkdir /tmp/source && cd /source && cp -r {SOURCES} /tmp/source")
    pip = (f"{INSTALLED}/.venv/bin/pip", "install", "--quiet", "/tmp/source")
    await host.sh("env", f"PIP_CERT={CERTIFICATES}", *pip, limit_seconds=600)
    await host.sh("sh", "-c", "mkdir -p /etc/deployd && cp /source/systemd/deployd* /etc/systemd/system/")
    await host.sh("ln", "-s", str(host.daemon.settings_file), "/etc/deployd/deployd.yaml")
    host.write_settings({"docker_socket": "/outside/docker.sock", "network_pool": POOL})
    for unit, text in overrides.items():
        await host.sh("mkdir", "-p", f"/etc/systemd/system/{unit}.d")
        await host.sh("sh", "-c", 'printf %s "$2" > "$1"', "sh", f"/etc/systemd/system/{unit}.d/test.conf", text)
    await host.systemctl("daemon-reload")


