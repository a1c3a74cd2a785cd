"""The daemon has a `deployd-ssh` run: one, started again when it dies, found again, and gone when it is not wanted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from deployd.daemon.ssh_door import SshDoor
from deployd.settings import Settings
from deployd.ssh.host_key import HostKey, ensure_host_key
from deployd.ssh.places import LOCK, link_folder
from deployd.ssh.supervisor import SshSupervisor
from tests.support.ssh_stand import free_port


class Daemon:
    """What of a daemon concerns SSH."""

    def __init__(self, folder: Path, port: int) -> None:
        self.settings = Settings.model_validate({"directory": folder, "ssh": {"listen": f"127.0.0.1:{port}"}})
        self.folder = link_folder(self.settings.run)
        self.door = SshDoor()
        self.supervisor = SshSupervisor(
            self.folder, lambda: self.door.link.is_connected, wanted=True, by_systemd=False,
        )

    def pid(self) -> int:
        """Of the process that has the lock, while it lives."""
        with suppress(OSError, ValueError):
            found = int((self.folder / LOCK).read_text())
            os.kill(found, 0)
            return found
        return 0

    async def until_up(self, other_than: int = 0) -> int:
        async with asyncio.timeout(60):
            while not self.door.link.is_connected or self.pid() in (0, other_than):
                await asyncio.sleep(0.05)
        return self.pid()


@asynccontextmanager
async def running(folder: Path, port: int, key: HostKey) -> AsyncIterator[Daemon]:
    daemon = Daemon(folder, port)
    await daemon.door.open(daemon.settings, {}, key)
    serving = asyncio.create_task(daemon.supervisor.serve())
    try:
        yield daemon
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        await daemon.door.close()


async def test_one_runs_is_started_again_found_again_and_goes_when_nobody_wants_it(tmp_path: Path) -> None:
    port, key = free_port(), ensure_host_key(tmp_path / "key")
    async with running(tmp_path / "d", port, key) as daemon:
        first = await daemon.until_up()
        os.kill(first, signal.SIGKILL)
        second = await daemon.until_up(other_than=first)
        async with asyncio.timeout(30):
            while daemon.supervisor.troubles():
                await asyncio.sleep(0.05)
    assert daemon.pid() == second, "it outlives the daemon"
    async with running(tmp_path / "d", port, key) as daemon:
        assert await daemon.until_up() == second, "and is found again"
        await daemon.door.open(daemon.settings.model_copy(update={"ssh": Settings().ssh}), {}, None)
        async with asyncio.timeout(30):
            while daemon.pid():   # nobody is to listen any more
                with suppress(ChildProcessError):
                    os.waitpid(second, os.WNOHANG)
                await asyncio.sleep(0.05)


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        async with running(tmp_path / "d", port, ensure_host_key(tmp_path / "key")) as daemon:
            told: list[str] = []

            async def look(question) -> None:   # type: ignore[no-untyped-def]
                told.append(question.text("trouble"))
                await question.answer(gone=[])

            daemon.door.link.open({"look": look}, daemon.door.link._welcome)
            pid = await daemon.until_up()
            async with asyncio.timeout(30):
                while not any(told):
                    await asyncio.sleep(0.05)
            assert "cannot listen for SSH on 127.0.0.1" in told[-1]
            os.kill(pid, signal.SIGTERM)
