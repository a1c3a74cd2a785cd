"""The daemon's end of the link to `deployd-ssh`, which outlives a reload, and what it is told of the settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from deployd.http.failed_sign_ins import FailedSignIns
from deployd.inside.open_stays import OpenStays
from deployd.intake.push_sessions import PushSessions
from deployd.settings import Settings
from deployd.ssh.bounds import Bounds
from deployd.ssh.configuration import SshConfiguration
from deployd.ssh.host_key import HostKey
from deployd.ssh.link_server import Handler, LinkServer
from deployd.ssh.places import SOCKET, SSH_UID, link_folder
from deployd.ssh.seen import SshSeen

log = structlog.get_logger()

AGAIN_SECONDS = 2.0


class SshDoor:
    """One for the life of the daemon's process: the link, and what is under way over it."""

    def __init__(self) -> None:
        self.link = LinkServer()
        self.seen = SshSeen()
        self.failed = FailedSignIns()
        self.pushes = PushSessions()
        self.stays = OpenStays()
        self.troubles_of_process: Callable[[], Sequence[str]] = tuple
        self._serving: asyncio.Task[None] | None = None
        self._where: Path | None = None

    async def open(self, settings: Settings, handlers: dict[str, Handler], key: HostKey | None) -> None:
        """Answer `deployd-ssh` with these from now on."""
        folder = link_folder(settings.run)
        if self._where != folder:
            await self.close()
            await asyncio.to_thread(_ensure_folder, folder)
            self._where = folder
            self._serving = asyncio.create_task(   # noqa: TID251  its owner is this object, which waits for it in `close`
                self._serve(folder / SOCKET), name="ssh link",
            )
        self.link.open(handlers, configuration_of(settings, key).values())

    def troubles(self) -> list[str]:
        """Why nobody is served over SSH, one sentence each."""
        return [*self.troubles_of_process(), *([self.seen.trouble] if self.seen.trouble else [])]

    def hold(self) -> None:
        """Let questions wait for the next `open`, and those who are in environments ask again."""
        self.link.hold()
        self.stays.hand_over()

    async def _serve(self, path: Path) -> None:
        while True:
            try:
                await self.link.serve(path, SSH_UID)
            except OSError as error:   # the disk is full, say
                log.error("ssh_link_cannot_be_opened", where=str(path), why=error.strerror)
            except Exception:   # ours; nobody else would listen again
                log.exception("ssh_link_ended", where=str(path))
            await asyncio.sleep(AGAIN_SECONDS)

    async def close(self) -> None:
        """May be called again."""
        serving, self._serving = self._serving, None
        self._where = None
        if serving is not None:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


def configuration_of(settings: Settings, key: HostKey | None) -> SshConfiguration:
    """What `deployd-ssh` is told."""
    ssh = settings.ssh
    host, port = ssh.listen_address or ("", 0)
    bounds = Bounds(
        handshakes=ssh.handshakes, handshakes_of_address=max(10, ssh.handshakes // 4), connections=ssh.connections,
        connections_of_address=ssh.connections_of_address, connections_of_key=ssh.connections_of_key,
        sessions_of_key=ssh.sessions_of_key,
    )
    return SshConfiguration(host, port if key else 0, key.private if key else "", ssh.idle_minutes * 60.0, bounds)


def _ensure_folder(folder: Path) -> None:
    """Root's, and the process of the link may go into it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(handle, 0, SSH_UID)
        os.fchmod(handle, 0o710)
    finally:
        os.close(handle)
