"""Contents of a repository's objects, one after the other, from one git that stays for as long as they are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

from deployd.errors import DeployError
from deployd.git.mirror import Mirror
from deployd.git.program import git_argv, git_environment
from deployd.ids import OBJECT_ID
from deployd.process import Process, open_process

READ_SECONDS = 60.0


class ObjectUnreadable(DeployError):
    """An object of a repository is not there, or is larger than it may be."""

    code: ClassVar[str] = "object-unreadable"


class Objects:
    """An open `git cat-file --batch`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def read(self, name: str, most_bytes: int) -> bytes:
        """
        Raises:
            ObjectUnreadable: There is none of that id, or it has more bytes; nothing else can be read then.
        """
        if not OBJECT_ID.fullmatch(name):
            raise ObjectUnreadable(f"{name[:80]!r} is not the id of an object")
        try:
            async with asyncio.timeout(READ_SECONDS):
                self._process.stdin.write(f"{name}\n".encode())
                await self._process.stdin.drain()
                head = (await self._process.stdout.readline()).split()
                if len(head) != 3 or int(head[2]) > most_bytes:
                    raise ObjectUnreadable(f"the object {name} is missing, or larger than {most_bytes:,} bytes")
                return (await self._process.stdout.readexactly(int(head[2]) + 1))[:-1]
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise ObjectUnreadable(f"git did not give the object {name}: {error!r}") from None


@asynccontextmanager
async def open_objects(mirror: Mirror, env: Mapping[str, str] | None = None) -> AsyncIterator[Objects]:
    async with open_process(*git_argv(mirror.path, "cat-file", "--batch"), env=git_environment(env)) as process:
        yield Objects(process)
