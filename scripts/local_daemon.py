"""A whole deployd under one directory: settings, daemon, router, pushes; and afterwards nothing of it left.

The demo, the benchmarks and the end-to-end tests use it. It talks to deployd as a user does: through a settings file,
the program, git and HTTP. Ports are free ones unless they are given.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from deployd.environment.naming import development_host, machine_name
from deployd.process import run
from scripts.git_push import Pushed, push

ROOT = Path(__file__).parent.parent
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
DETACHED = 'exec >>"$0" 2>&1 </dev/null; echo $$ >"$1"; shift; exec "$@"'
"""A session of its own, whose first process becomes the daemon: it outlives this program and its terminal."""
DOMAIN = "{environment}-{project}.localhost"


class DaemonDidNotStart(RuntimeError):
    """`/readyz` did not answer in time, or the daemon ended."""


def free_port(preferred: int | None = None) -> int:
    """A TCP port on which nobody listens; the preferred one when it is free."""
    for wanted in (preferred, 0):
        if wanted is None:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise OSError("no port is free")


def instance_of(directory: Path, prefix: str = "local") -> str:
    """Name of the daemon in Docker: its own for each directory, so that several can live on one Engine."""
    return f"{prefix}-{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class Program:
    """Which deployd runs: a Python that finds its dependencies, and the folder with its code."""

    python: str = sys.executable
    folder: Path = ROOT


@dataclass
class LocalDaemon:
    """One deployd, all of it below `directory`.

    Args:
        projects: {project id: its settings}.
        settings: Keys of deployd.yaml that replace those written here.
        program: Another version of deployd than the one that lies around this file.
    """

    directory: Path
    projects: Mapping[str, Mapping[str, Any]]
    instance: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    api_port: int = 0
    http_port: int = 0
    ssh_port: int = 0
    """0: nobody listens for SSH."""
    program: Program = Program()

    def __post_init__(self) -> None:
        self.directory = self.directory.resolve()
        self.instance = self.instance or instance_of(self.directory)

    @property
    def settings_file(self) -> Path:
        return self.directory / "deployd.yaml"

    @property
    def pid_file(self) -> Path:
        return self.directory / "deployd.pid"

    @property
    def log_file(self) -> Path:
        return self.directory / "deployd.log"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def token(self) -> str:
        return str(self._written()["tokens"][0]["secret"])

    def url(self, project: str, branch: str = "main", path: str = "/") -> str:
        """Address of an environment's default host, through the router."""
        host = development_host(DOMAIN, project, machine_name(branch))
        return f"http://{host}:{self.http_port}{path}"

    def repository_url(self, project: str) -> str:
        return f"{self.api}/git/{project}.git"

    def ssh_url(self, project: str) -> str:
        return f"ssh://git@127.0.0.1:{self.ssh_port}/{project}.git"

    def write_settings(self) -> None:
        """Write deployd.yaml; a second call keeps ports and token of the first."""
        before = self._written()
        if before:
            self.api_port = int(before["listen"].rpartition(":")[2])
            self.http_port = int(before["router"]["http_port"])
            secret = before["tokens"][0]["secret"]
        else:
            self.api_port = self.api_port or free_port()
            self.http_port = self.http_port or free_port()
            secret = secrets.token_urlsafe(24)
        self.directory.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "instance": self.instance,
            "directory": str(self.directory / "var"),
            "listen": f"127.0.0.1:{self.api_port}",
            "router": {"address": "127.0.0.1", "http_port": self.http_port, "https_port": None},
            **({"ssh": {"listen": f"127.0.0.1:{self.ssh_port}"}} if self.ssh_port else {}),
            "domain": DOMAIN,
            "collect": {"every_minutes": 0, "deleted_days": 0},   # it never lives long; what is deleted goes
            "tokens": [{"name": "local", "role": "admin", "secret": secret}],
            "projects": {name: dict(project) for name, project in self.projects.items()},
            **self.settings,
        }
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text(yaml.safe_dump(values, sort_keys=False))

    async def start(
        self, limit_seconds: float = READY_SECONDS, *, module: str = "deployd",
        environment: Mapping[str, str] | None = None,
    ) -> float:
        """Start the daemon in the background and wait until it is ready. Returns the seconds that it took.

        Args:
            module: The Python program that is the daemon.
            environment: Variables for it, beside our own.

        Raises:
            DaemonDidNotStart: With the last lines of its log.
        """
        self.write_settings()
        began = time.monotonic()
        self.pid_file.unlink(missing_ok=True)
        await run(
            "setsid", "--fork", "sh", "-c", DETACHED, str(self.log_file), str(self.pid_file),
            self.program.python, "-m", module, "serve", "--settings", str(self.settings_file), cwd=self.program.folder,
            env={**os.environ, **(environment or {})},
        )
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while time.monotonic() - began < limit_seconds:
                if self.pid_file.exists() and not self._alive():
                    self.pid_file.unlink()
                    raise DaemonDidNotStart(f"deployd ended at once:\n{self.log_tail()}")
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{self.api}/readyz") as answer:
                        if answer.status == 200:
                            return time.monotonic() - began
                await asyncio.sleep(0.05)
        raise DaemonDidNotStart(f"deployd was not ready after {limit_seconds:.0f} s:\n{self.log_tail()}")

    def _alive(self) -> bool:
        """Whether the process of the pid file lives, whatever it is."""
        text = self.pid_file.read_text().strip()
        return not text or Path(f"/proc/{text}").exists()

    def running(self) -> int | None:
        """The daemon's process id, when it runs and is ours."""
        try:
            pid = int(self.pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        return pid if state != "Z" and str(self.settings_file).encode() in command else None

    async def stop(self, limit_seconds: float = STOP_SECONDS) -> float | None:
        """End the daemon; environments and router go on. Returns the seconds it took, None when it did not run."""
        pid = self.running()
        if pid is None:
            self.pid_file.unlink(missing_ok=True)
            return None
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        while self.running() is not None:
            if time.monotonic() - began > limit_seconds:
                os.killpg(pid, signal.SIGKILL)
            await asyncio.sleep(0.02)
        self.pid_file.unlink(missing_ok=True)
        return time.monotonic() - began

    async def push(
        self, repository: Path, project: str, *, branch: str = "main", on_line: Callable[[str], None] = print,
        options: Sequence[str] = (), limit_seconds: float = 900, delete: bool = False,
        force: bool = False,
    ) -> Pushed:
        """`git push` of HEAD to a branch of the project; `on_line` gets what the pusher's terminal would show."""
        return await push(
            repository, self.repository_url(project), self.token, branch=branch, on_line=on_line, options=options,
            limit_seconds=limit_seconds, delete=delete, force=force,
        )

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """HTTP to the daemon's API, with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(self.api, headers=headers) as session:
            yield session

    def log_tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _written(self) -> dict[str, Any]:
        try:
            return dict(yaml.safe_load(self.settings_file.read_text()))
        except OSError:
            return {}
