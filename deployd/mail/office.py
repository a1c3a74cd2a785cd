"""The postman as the daemon sees him: started, told the environments, listened to, started again when he ends."""

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
from deployd.mail.round import Round, write_round
from deployd.process import Process, open_process

POSTMAN_UID = 2_000_000_100
"""Nobody's, as those of readers (`reading/nursery.py`)."""
LOOK_SECONDS = 30.0
"""Environments are looked at so often without being told of one."""
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL looks for whom it trusts, for relays of a company."""
LONGEST_WORDS_BYTES = 100_000


class PostmanEnded(DeployError):
    """The process that takes mails ended."""

    code: ClassVar[str] = "postman-ended"


class Employment:
    """The postman's process. It outlives a reload, so that no container is refused meanwhile."""

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._argv: tuple[str, ...] = ()
        self._postman: Process | None = None

    async def have(self, *argv: str) -> Process:
        """The one who runs, when he was started so; else a new one."""
        if self._postman is None or self._postman.has_ended or argv != self._argv:
            await self.end()
            self._postman = await self._open.enter_async_context(open_process(
                *argv,
                env={
                    "PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(deployd.__path__[0]).parent),
                    **{name: os.environ[name] for name in TRUST if name in os.environ},
                },
            ))
            self._argv = argv
        return self._postman

    async def end(self) -> None:
        """None is fine."""
        await self._open.aclose()
        self._postman = None


class Office:
    """Has a postman for as long as the daemon runs."""

    def __init__(
        self, folder: Path, read_round: Callable[[], Awaitable[Round]], *, enabled: bool = True,
        employment: Employment | None = None,
    ) -> None:
        """
        Args:
            folder: Of the boxes; made for the postman's user.
            read_round: What he has to know now.
            employment: With the postman of before a reload; None: he ends with `serve`.
        """
        self._employment = employment or Employment()
        self._is_lasting = employment is not None
        self._folder = folder
        self._read_round = read_round
        self._enabled = enabled
        self._changed = asyncio.Event()
        self._troubles: tuple[str, ...] = ()

    def troubles(self) -> tuple[str, ...]:
        """What he cannot do, one sentence each."""
        return self._troubles

    def wake(self) -> None:
        """An environment has got its network."""
        self._changed.set()

    async def serve(self) -> None:
        """
        Raises:
            PostmanEnded: He did.
        """
        if not self._enabled:
            await self._employment.end()
            await asyncio.Event().wait()
        await asyncio.to_thread(_ensure_folder, self._folder)
        postman = await self._employment.have(
            sys.executable, "-s", "-m", "deployd.mail.postman", str(self._folder), str(POSTMAN_UID),
        )
        try:
            await self._attend(postman)
        finally:
            if not self._is_lasting:
                await self._employment.end()

    async def _attend(self, postman: Process) -> None:
        async with asyncio.TaskGroup() as group:
            last_words = group.create_task(_last_words(postman), name="postman's errors")
            telling = group.create_task(self._tell(postman), name="telling the postman")
            await self._listen(postman)
            telling.cancel()
            words = await last_words
            raise PostmanEnded(
                f"the process that takes mails ended with exit status {await postman.wait()}", evidence=words,
            )

    async def _tell(self, postman: Process) -> None:
        before = b""
        while True:
            self._changed.clear()
            line = write_round(await self._read_round())
            if line != before:
                before = line
                with suppress(ConnectionError):   # he has ended, as whoever listens to him sees
                    postman.stdin.write(line)
                    await postman.stdin.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()

    async def _listen(self, postman: Process) -> None:
        """Until he ends; what he says is a stranger's word: he speaks with containers."""
        rest = b""
        while chunk := await postman.stdout.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-LONGEST_WORDS_BYTES:]
            for line in lines[-1:]:
                with suppress(ValueError, RecursionError):
                    found = json.loads(line)
                    if isinstance(found, list):
                        self._troubles = tuple(f"mail: {str(item)[:500]}" for item in found[:20])
        self._troubles = ()


async def _last_words(postman: Process) -> tuple[str, ...]:
    kept = b""
    while chunk := await postman.stderr.read(65_536):
        kept = (kept + chunk)[-4_000:]
    return tuple(kept.decode(errors="replace").splitlines()[-5:])


def _ensure_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(handle, POSTMAN_UID, POSTMAN_UID)
    finally:
        os.close(handle)
