"""The mail server as the daemon sees it: started, told the environments, listened to, started again when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import ClassVar

import deployd
from deployd.errors import DeployError
from deployd.mail.configuration import MailConfiguration, write_configuration
from deployd.process import Process, open_process

MAIL_SERVER_UID = 2_000_000_100
"""Nobody's, as those of readers (`reading/fork_server.py`)."""
LOOK_SECONDS = 30.0
"""Environments are looked at so often without being told of one."""
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL looks for whom it trusts, for relays of a company."""
LONGEST_WORDS_BYTES = 100_000


class MailServerEnded(DeployError):
    """The process that takes mails ended."""

    code: ClassVar[str] = "postman-ended"


class MailServerProcess:
    """The mail server's process. It outlives a reload, so that no container is refused meanwhile."""

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._argv: tuple[str, ...] = ()
        self._running: Process | None = None

    async def have(self, *argv: str) -> Process:
        """The one that runs, when it was started so; else a new one."""
        if self._running is None or self._running.has_ended or argv != self._argv:
            await self.end()
            self._running = await self._open.enter_async_context(open_process(
                *argv,
                env={
                    "PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(deployd.__path__[0]).parent),
                    **{name: os.environ[name] for name in TRUST if name in os.environ},
                },
            ))
            self._argv = argv
        return self._running

    async def end(self) -> None:
        """None is fine."""
        await self._open.aclose()
        self._running = None


class MailSupervisor:
    """Has a mail server for as long as the daemon runs."""

    def __init__(
        self, folder: Path, read_configuration: Callable[[], Awaitable[MailConfiguration]], *, enabled: bool = True,
        process: MailServerProcess | None = None,
    ) -> None:
        """
        Args:
            folder: Of the boxes; made for the mail server's user.
            read_configuration: What it has to know now.
            process: Of before a reload; None: it ends with `serve`.
        """
        self._process = process or MailServerProcess()
        self._is_lasting = process is not None
        self._folder = folder
        self._read_configuration = read_configuration
        self._enabled = enabled
        self._changed = asyncio.Event()
        self._troubles: tuple[str, ...] = ()

    def troubles(self) -> tuple[str, ...]:
        """What it cannot do, one sentence each."""
        return self._troubles

    def wake(self) -> None:
        """An environment has got its network."""
        self._changed.set()

    async def serve(self) -> None:
        """
        Raises:
            MailServerEnded: It did.
        """
        if not self._enabled:
            await self._process.end()
            await asyncio.Event().wait()
        await asyncio.to_thread(_ensure_folder, self._folder)
        server = await self._process.have(
            sys.executable, "-s", "-m", "deployd.mail.server", str(self._folder), str(MAIL_SERVER_UID),
        )
        try:
            await self._attend(server)
        finally:
            if not self._is_lasting:
                await self._process.end()

    async def _attend(self, server: Process) -> None:
        async with asyncio.TaskGroup() as group:
            last_words = group.create_task(_last_words(server), name="mail server's errors")
            telling = group.create_task(self._tell(server), name="telling the mail server")
            await self._listen(server)
            telling.cancel()
            words = await last_words
            raise MailServerEnded(
                f"the process that takes mails ended with exit status {await server.wait()}", evidence=words,
            )

    async def _tell(self, server: Process) -> None:
        before = b""
        while True:
            self._changed.clear()
            line = write_configuration(await self._read_configuration())
            if line != before:
                before = line
                with suppress(ConnectionError):   # it has ended, as whoever listens to it sees
                    server.stdin.write(line)
                    await server.stdin.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()

    async def _listen(self, server: Process) -> None:
        """Until it ends; what it says is a stranger's word: it speaks with containers."""
        rest = b""
        while chunk := await server.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-LONGEST_WORDS_BYTES:]
            for line in lines[-1:]:
                with suppress(ValueError, RecursionError):
                    found = json.loads(line)
                    if isinstance(found, list):
                        self._troubles = tuple(f"mail: {str(item)[:500]}" for item in found[:20])
        self._troubles = ()


async def _last_words(server: Process) -> tuple[str, ...]:
    kept = b""
    while chunk := await server.stderr.read(65_536):
        kept = (kept + chunk)[-4_000:]
    return tuple(kept.decode(errors="replace").splitlines()[-5:])


def _ensure_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(handle, MAIL_SERVER_UID, MAIL_SERVER_UID)
    finally:
        os.close(handle)
