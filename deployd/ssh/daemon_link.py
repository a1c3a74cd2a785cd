"""The daemon as `deployd-ssh` sees it: asked over the link, and waited for when it is being restarted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count

from deployd.ssh.link import VERSION, Link, LinkLost, Message, Values
from deployd.ssh.ports import Refused

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0
ANSWER_SECONDS = 120.0
"""For one answer; a daemon that reads its settings again lets questions wait."""
MOST_NOTES = 1_000
"""That wait to be read in one conversation."""


class DaemonLink:
    """Has a link for as long as there is a daemon, and a new one when there is one again."""

    def __init__(self, path: str, welcome: Callable[[Values], Awaitable[None]], *, goes_on: Callable[[], bool]) -> None:
        """
        Args:
            path: Of the daemon's socket.
            welcome: Told what the daemon says first: its settings for this process; and again when they have changed.
            goes_on: Asked at each try without a daemon, and when one has said its settings: whether to go on.
        """
        self._path = path
        self._welcome = welcome
        self._goes_on = goes_on
        self._link: Link | None = None
        self._there = asyncio.Event()
        self._numbers = count(1)
        self._talks: dict[int, Talk] = {}

    @property
    def is_there(self) -> bool:
        return self._there.is_set()

    async def serve(self) -> None:
        """Until `goes_on` says that it is enough, or the daemon that this process is to go."""
        pause = FIRST_PAUSE_SECONDS
        while self._goes_on():
            link = await _connect(self._path)
            if link is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            try:
                if not await self._talk_over(link):
                    return
            finally:
                self._lose(link)

    async def _talk_over(self, link: Link) -> bool:
        """Whether to look for another daemon when this one has gone."""
        self._link = link
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read(link), name="reading the link")
            goes = await self._greet()
            if goes:
                reading.cancel()
                return False
        return True

    async def _greet(self) -> bool:
        """Whether the daemon wants this process to go."""
        try:
            hello = await self.ask("hello", version=VERSION)
        except Refused:
            return True
        except LinkLost:
            return False
        try:
            said: Values | None = dict(hello.answer)
            while said is not None:
                await self._welcome(said)
                if not self._goes_on():
                    return True
                self._there.set()
                said = await hello.note()
        except LinkLost:
            return False
        return False

    async def _read(self, link: Link) -> None:
        with suppress(LinkLost):
            while (message := await link.receive()) is not None:
                talk = self._talks.get(message.id)
                if talk is None:   # it was left
                    for item in message.sockets:
                        item.close()
                else:
                    talk.hear(message)
        self._lose(link)

    def _lose(self, link: Link) -> None:
        link.close()
        if self._link is link:
            self._link = None
            self._there.clear()
            for talk in list(self._talks.values()):
                talk.lose()

    async def ask(self, verb: str, **values: object) -> Talk:
        """See `ports.Daemon`."""
        link = self._link
        if link is None:
            raise LinkLost("there is no daemon")
        talk = Talk(next(self._numbers), link, self._talks)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await link.send(Message(talk.id, "ask", values, verb))
                await talk.answered()
        except TimeoutError:
            talk.leave()
            raise LinkLost("the daemon does not answer") from None
        except BaseException:
            talk.leave()
            raise
        return talk

    async def until_there(self, limit_seconds: float) -> bool:
        """See `ports.Daemon`."""
        try:
            async with asyncio.timeout(limit_seconds):
                await self._there.wait()
        except TimeoutError:
            return False
        return True


class Talk:
    """See `ports.Conversation`."""

    def __init__(self, number: int, link: Link, talks: dict[int, Talk]) -> None:
        self.id = number
        self.answer: Mapping[str, object] = {}
        self.sockets: tuple[socket.socket, ...] = ()
        self.end: Values = {}
        self._link = link
        self._talks = talks
        self._heard: asyncio.Queue[Message | None] = asyncio.Queue(MOST_NOTES)
        self._over = False
        talks[number] = self

    def hear(self, message: Message) -> None:
        try:
            self._heard.put_nowait(message)
        except asyncio.QueueFull:
            self.leave()

    def lose(self) -> None:
        self._talks.pop(self.id, None)
        while self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(None)

    async def answered(self) -> None:
        """
        Raises:
            Refused, LinkLost: There is no answer.
        """
        message = await self._next()
        if message.kind == "refused":
            self._close(message)
            raise refused(message.values)
        self.answer, self.sockets = message.values, message.sockets
        if message.kind == "end":
            self._close(message)

    async def note(self) -> Values | None:
        if self._over:
            return None
        message = await self._next()
        if message.kind == "refused":
            self._close(message)
            raise refused(message.values)
        if message.kind == "end":
            self._close(message)
            return None
        return message.values

    async def tell(self, **values: object) -> None:
        if not self._over:
            with suppress(LinkLost):
                await self._link.send(Message(self.id, "note", values))

    def leave(self) -> None:
        if self._talks.pop(self.id, None) is None:
            return
        self._over = True
        self._link.leave(self.id)

    async def _next(self) -> Message:
        message = await self._heard.get()
        if message is None:
            self._over = True
            raise LinkLost("the daemon has gone")
        return message

    def _close(self, message: Message) -> None:
        self._over, self.end = True, message.values
        self._talks.pop(self.id, None)


def refused(values: Values) -> Refused:
    """A refusal of the daemon as an error."""
    evidence = values.get("evidence", [])
    found = Refused(
        str(values.get("what", "refused")), where=str(values.get("where", "")),
        evidence=tuple(map(str, evidence)) if isinstance(evidence, list) else (), hint=str(values.get("hint", "")),
    )
    found.status = int(values.get("status", 1))
    return found


async def _connect(path: str) -> Link | None:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        channel.connect(path)   # of a Unix socket that does not wait
    except OSError:
        channel.close()
        return None
    return Link(channel)
