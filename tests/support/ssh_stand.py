"""`deployd-ssh` as a process of its own, with the intake's stand behind its link; real ssh and git before it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deployd.access.caller import Caller, roles_of
from deployd.clock import SystemClock
from deployd.http.failed_sign_ins import FailedSignIns
from deployd.intake.git_service import GitService
from deployd.intake.ssh_git import SshGit
from deployd.intake.ssh_people import SshPeople
from deployd.process import Output, Process, open_process, run
from deployd.ssh.bounds import Bounds
from deployd.ssh.configuration import SshConfiguration
from deployd.ssh.host_key import HostKey, ensure_host_key
from deployd.ssh.link_server import Handler, LinkServer
from deployd.ssh.places import SOCKET, SSH_UID
from deployd.ssh.seen import SshSeen
from tests.support.intake_stand import Stand, developer_environment

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class KeysDouble:
    """Whose keys are known, as `access/directory.py` says it."""

    known: dict[bytes, Caller] = field(default_factory=dict)

    def by_key(self, blob: bytes, address: str = "") -> Caller | None:
        return self.known.get(blob)

    def knows_key(self, blob: bytes) -> bool:
        return blob in self.known


@dataclass
class SshStand:
    folder: Path
    port: int
    keys: KeysDouble
    seen: SshSeen
    host_key: HostKey
    intake: Stand | None
    handlers: dict[str, Handler]
    bounds: Bounds = field(default_factory=Bounds)
    idle_seconds: float = 3600.0
    process: Process | None = None
    link: LinkServer = field(default_factory=LinkServer)
    _serving: asyncio.Task[None] | None = None

    def make_key(self, name: str, role: str = "contributor", projects: tuple[str, ...] = ("*",)) -> Path:
        """A key of a person's, known; the path of its private half."""
        path = make_key(self.folder / f"key-{name}")
        self.keys.known[blob_of(path)] = Caller(name, roles_of(role, projects), by=f"{name}'s laptop", person=name)
        return path

    def ssh(self, key: Path, *options: str) -> list[str]:
        """The command line of ssh, without host and command."""
        return [
            "ssh", "-F", "none", "-p", str(self.port), "-i", str(key), "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=yes", *options,
        ]

    def environment(self, key: Path, *options: str) -> dict[str, str]:
        """Of git, so that it uses this key."""
        return developer_environment() | {"GIT_SSH_COMMAND": " ".join(self.ssh(key, *options))}

    def repository(self, project: str = "shop") -> str:
        return f"ssh://git@127.0.0.1:{self.port}/{project}.git"

    async def git(self, key: Path, *arguments: str, check: bool = True, limit_seconds: float = 60) -> Output:
        return await run(
            "git", *arguments, cwd=self.folder / "work", check=check, env=self.environment(key),
            limit_seconds=limit_seconds,
        )

    async def run_ssh(self, key: Path, user: str, *command: str, options: Sequence[str] = ()) -> Output:
        return await run(
            *self.ssh(key, *options), f"{user}@127.0.0.1", *command, check=False, env=developer_environment(),
        )

    async def start_daemon(self) -> None:
        """The daemon's end of the link."""
        self.link = LinkServer()
        self._serving = asyncio.create_task(self.link.serve(self.folder / "link" / SOCKET, SSH_UID))
        self.tell()

    def tell(self, port: int | None = None) -> None:
        """Say the settings, perhaps once more."""
        configuration = SshConfiguration(
            "127.0.0.1", self.port if port is None else port, self.host_key.private, self.idle_seconds, self.bounds,
        )
        self.link.open(self.handlers, configuration.values())

    async def stop_daemon(self) -> None:
        """As when it is killed: the link and all that it did for it end."""
        if self._serving is not None:
            self._serving.cancel()
            with suppress(asyncio.CancelledError):
                await self._serving
            self._serving = None

    async def until_listening(self) -> None:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    def memory_mb(self) -> float:
        """What the process takes for itself alone."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        sizes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
        return (sizes["Private_Dirty:"] + sizes["Private_Clean:"]) / 1024


@asynccontextmanager
async def open_ssh_stand(
    folder: Path, intake: Stand | None = None, *, more: Mapping[str, Handler] | None = None, **values: Any,
) -> AsyncIterator[SshStand]:
    """
    Args:
        intake: Behind git; None: nobody serves git.
        more: Further handlers of the daemon's.
        values: Of the stand.
    """
    link = folder / "link"
    link.mkdir()
    os.chown(link, 0, SSH_UID)
    link.chmod(0o710)
    keys, seen = KeysDouble(), SshSeen()
    people = SshPeople(keys, seen, FailedSignIns(), SystemClock())
    handlers: dict[str, Handler] = {**people.handlers(), **(more or {})}
    if intake is not None:
        handlers |= SshGit(intake.intake, GitService(intake.intake), people.caller_of).handlers()
    stand = SshStand(
        folder, free_port(), keys, seen, ensure_host_key(folder / "host"), intake, handlers, **values,
    )
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{stand.port} {stand.host_key.public}\n")
    await stand.start_daemon()
    try:
        async with open_process(
            sys.executable, "-s", "-m", "deployd.ssh", str(link),
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)},
        ) as stand.process, asyncio.TaskGroup() as group:
            words = group.create_task(_words(stand.process))
            try:
                await stand.until_listening()
                yield stand
            finally:
                if not stand.process.has_ended:
                    os.kill(stand.process.pid, signal.SIGTERM)
                async with asyncio.timeout(10):
                    await stand.process.wait()
                words.cancel()
    finally:
        await stand.stop_daemon()


async def _words(process: Process) -> None:
    while line := await process.stderr.readline():
        print("deployd-ssh:", line.decode(errors="replace").rstrip())


def make_key(path: Path) -> Path:
    """A new key, as ssh reads it."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n")
    return path


def blob_of(path: Path) -> bytes:
    import base64

    return base64.b64decode(path.with_suffix(".pub").read_text().split(" ")[1])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


