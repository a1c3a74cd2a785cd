"""The process that speaks with containers and relays, as a user who owns nothing but the boxes.

    python -m deployd.mail.server FOLDER UID      says what is wrong, a line of JSON each time that it changes

It is told the environments over its standard input, a line of JSON each time that they change, and ends when that does.
A process of its own: whoever floods it, or takes it over, has neither the daemon's loop nor its rights.
"""

from __future__ import annotations

import asyncio
import codecs
import importlib
import json
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path

from deployd.mail.box import forget_strays
from deployd.mail.configuration import MailConfiguration, MailEnvironment, parse_configuration
from deployd.mail.delivery import DeliveryQueue
from deployd.mail.outbox import Outbox
from deployd.mail.smtp import SmtpSession, listener
from deployd.unprivileged import become

NEEDED_LATER = ("concurrent.futures.thread", "email.charset", "email.message", "traceback")
"""Modules that are loaded in the middle of a conversation; it may not read ours then."""
CODECS = (
    "ascii", "utf-8", "utf-7", "utf-16", "latin-1", *(f"iso8859-{part}" for part in range(2, 12)), "iso8859-15",
    "cp1250", "cp1251", "cp1252", "koi8-r", "koi8-u", "gb2312", "gbk", "gb18030", "big5", "euc-jp", "shift-jis",
    "iso2022-jp", "euc-kr", "idna", "raw-unicode-escape",
)
"""The same, of subjects."""
MOST_DESCRIPTORS = 65_536
MEMORY_BYTES = 2_000_000_000
POLITE = 10
AT_ONCE = 4
"""Mails that are handed to relays; each is in memory as a whole."""
SWEEP_SECONDS = 600.0
AGAIN_SECONDS = 2.0
"""Until an address is tried again that could not be listened on."""
LEAVING_SECONDS = 5.0
"""That a mail server before may still have an address; a new configuration does not shorten it."""
LARGEST_CONFIGURATION_BYTES = 64_000_000
MOST_TROUBLES = 20


class MailServer:
    """All environments."""

    def __init__(self) -> None:
        self._outboxes: dict[str, Outbox] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._closed: dict[str, str] = {}
        """{environment: why nobody listens there}"""
        self._busy_since: dict[str, float] = {}
        """{environment: when its address was first found taken}; told later: one from before may be leaving."""
        self._queues: dict[str, tuple[DeliveryQueue, asyncio.Task[None]]] = {}
        self._told: MailConfiguration | None = None
        self._said = ""
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def serve(self) -> None:
        """Until the daemon has gone."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            chores = [group.create_task(self._sweep(), name="sweep"), group.create_task(self._again(), name="again")]
            await self._listen()
            for task in (*chores, *(task for _, task in self._queues.values())):
                task.cancel()
            for server in self._servers.values():
                server.close()

    async def _listen(self) -> None:
        reader = asyncio.StreamReader(limit=LARGEST_CONFIGURATION_BYTES)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            await self._tell(parse_configuration(line))

    async def _tell(self, configuration: MailConfiguration) -> None:
        before, self._told = self._told, configuration
        wanted = {environment.name: environment for environment in configuration.environments}
        for name in (self._outboxes.keys() | self._closed.keys()) - wanted.keys():
            self._close(name)
            self._end_queue(name)
            self._outboxes.pop(name, None)
            self._closed.pop(name, None)
            self._busy_since.pop(name, None)
        if before is not None and before.port != configuration.port:
            for name in list(self._servers):
                self._close(name)
        for environment in wanted.values():
            await self._try(environment, configuration)
        self._said = ""   # a daemon that has read its settings again knows nothing of what was said before
        self.say()

    async def _try(self, environment: MailEnvironment, configuration: MailConfiguration) -> None:
        self._closed.pop(environment.name, None)
        try:
            await self._put(environment.name, environment, configuration)
        except OSError as error:   # a full disk
            self._closed[environment.name] = f"cannot have a box for {environment.name}: {error.strerror}"
            self._busy_since.pop(environment.name, None)   # told at once

    async def _put(self, name: str, environment: MailEnvironment, configuration: MailConfiguration) -> None:
        outbox = self._outboxes.get(name)
        if outbox is None:
            outbox = self._outboxes[name] = Outbox(environment, configuration)
        else:
            if outbox.environment.subnet != environment.subnet:
                self._close(name)
            if outbox.environment.relay != environment.relay:
                self._end_queue(name)
            outbox.tell(environment, configuration)
        if name not in self._servers:
            await self._open(name, outbox, configuration.port)
        if environment.relay is not None and name not in self._queues:
            queue = DeliveryQueue(outbox, self._turns, self.say)
            self._queues[name] = queue, self._group.create_task(queue.serve(), name=f"mails of {name}")

    async def _open(self, name: str, outbox: Outbox, port: int) -> None:
        gateway = outbox.environment.gateway
        try:
            opened = listener(gateway, port)
        except OSError as error:
            self._closed[name] = f"cannot take mails of {name} at {gateway}:{port}: {error.strerror}"
            self._busy_since.setdefault(name, time.monotonic())
            return
        self._busy_since.pop(name, None)
        self._servers[name] = await asyncio.get_running_loop().create_server(lambda: SmtpSession(outbox), sock=opened)

    def _close(self, name: str) -> None:
        server = self._servers.pop(name, None)
        if server is not None:
            server.close()

    def _end_queue(self, name: str) -> None:
        queue = self._queues.pop(name, None)
        if queue is not None:
            queue[1].cancel()

    def say(self) -> None:
        """Tell the daemon what is wrong, when it is something else than before."""
        patient_since = time.monotonic() - LEAVING_SECONDS
        closed = (why for name, why in self._closed.items() if self._busy_since.get(name, 0.0) <= patient_since)
        troubles = [*closed, *(queue.trouble for queue, _ in self._queues.values())]
        said = json.dumps([trouble for trouble in troubles if trouble][:MOST_TROUBLES])
        if said != self._said:
            self._said = said
            print(said, flush=True)

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            if (configuration := self._told) is None:
                continue
            for environment in configuration.environments:
                if configuration is self._told and environment.name in self._closed:
                    await self._try(environment, configuration)
            self.say()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if self._told is None:
                continue
            for outbox in list(self._outboxes.values()):
                with suppress(OSError):
                    outbox.sweep()
                await asyncio.sleep(0)
            known = frozenset(self._outboxes)
            with suppress(OSError):
                await asyncio.to_thread(forget_strays, Path(), known, self._told.keep_seconds)


def main() -> None:
    folder, uid = Path(sys.argv[1]), int(sys.argv[2])
    for name in NEEDED_LATER:
        importlib.import_module(name)
    for codec in CODECS:
        codecs.lookup(codec)
    logging.disable()   # aiosmtpd tells every command
    become(uid, folder, descriptors=MOST_DESCRIPTORS, memory_bytes=MEMORY_BYTES, nice=POLITE)
    asyncio.run(MailServer().serve())


if __name__ == "__main__":
    main()
