"""git over SSH: the client's pipes are joined with git, which the daemon runs; the log of a push is shown from here.

    push ──► git takes the pack (in the daemon) ──► stored: activities 12, 13 ──► git ends
                                                        └─► their logs, followed here over restarts of the daemon

A daemon that goes while git takes a pack takes git with it: the push is refused in words, and nothing has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import asyncssh

from deployd.ssh.link import LinkLost
from deployd.ssh.log_follower import follow
from deployd.ssh.names import PUSH, GitCommand, protocol_of
from deployd.ssh.pkt_lines import FLUSH, Capabilities, Packets, texts
from deployd.ssh.ports import Channel, Conversation, Daemon, Refused, Who

CHUNK_BYTES = 262_144
READ_LIMIT = 524_288
CUT = Refused(
    "deployd was stopped while it took the push: nothing was changed", hint="push again when it is back",
)
FETCH_CUT = Refused("deployd was stopped in the middle", hint="try again when it is back")
STORED = "deployd was stopped: the branch is stored, and is deployed when deployd is back"
READ_OFTEN = (asyncssh.TerminalSizeChanged, asyncssh.SignalReceived, asyncssh.BreakReceived)
"""What a client may send that git has no use for."""


class GitSessions:
    """All that speak git."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def serve(self, who: Who, command: GitCommand, channel: Channel) -> int:
        """
        Raises:
            Refused, LinkLost: It is not done, or not to its end.
        """
        talk = await self._daemon.ask(
            "git", **who.values(), service=command.verb, project=command.project,
            protocol=protocol_of(dict(channel.env)),
        )
        try:
            reader, writer = await asyncio.open_unix_connection(sock=talk.sockets[0], limit=READ_LIMIT)
            try:
                if command.verb == PUSH:
                    return await self._push(who, command, talk, _Pipes(channel, reader, writer))
                return await _fetch(talk, _Pipes(channel, reader, writer))
            finally:
                writer.close()
        finally:
            talk.leave()

    async def _push(self, who: Who, command: GitCommand, talk: Conversation, pipes: _Pipes) -> int:
        packets, capabilities = Packets(), Capabilities()
        await pipes.carry(packets.feed, capabilities.feed)
        activities, status = await _outcome(talk)

        async def say(lines: Sequence[str]) -> None:
            if capabilities.side_band:
                await pipes.out(texts(list(lines)))
            else:
                pipes.channel.stderr.write("".join(f"{line}\n" for line in lines).encode(errors="replace"))
                await pipes.channel.stderr.drain()

        if status is None and not activities:
            if not packets.has_reported:
                raise CUT
            await say([STORED])
        for activity in activities:
            await follow(self._daemon, who, command.project, activity, say)
        if packets.keeps_flush or (packets.has_reported and capabilities.side_band):
            await pipes.out(FLUSH)
        return status or 0


async def _fetch(talk: Conversation, pipes: _Pipes) -> int:
    await pipes.carry(bytes)
    _, status = await _outcome(talk)
    if status is None:
        raise FETCH_CUT
    return status


async def _outcome(talk: Conversation) -> tuple[list[int], int | None]:
    """(activities of a push, exit status of git); None: the daemon went before git had ended."""
    activities: list[int] = []
    try:
        while (said := await talk.note()) is not None:
            activities = [int(number) for number in said.get("activities", ())]
    except LinkLost:
        return activities, None
    return activities, int(talk.end.get("status", 1))


class _Pipes:
    """The client's channel and git's socket."""

    def __init__(self, channel: Channel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.channel = channel
        self._reader = reader
        self._writer = writer

    async def carry(self, through: Callable[[bytes], bytes], hear: Callable[[bytes], None] = lambda _: None) -> None:
        """Both ways, until git has said its last.

        Args:
            through: What is made of what git says.
            hear: Told what the client says.
        """
        async with asyncio.TaskGroup() as group:
            going_in = group.create_task(_quietly(self._carry_in(hear)), name="from the client")
            await _quietly(self._carry_out(through))
            going_in.cancel()

    async def out(self, data: bytes) -> None:
        """To the client; one that has left ends this task."""
        if data:
            self.channel.stdout.write(data)
            await self.channel.stdout.drain()

    async def _carry_in(self, hear: Callable[[bytes], None]) -> None:
        while True:
            try:
                chunk = await self.channel.stdin.read(CHUNK_BYTES)
            except READ_OFTEN:
                continue
            if not chunk:
                break
            hear(chunk)
            self._writer.write(chunk)
            await self._writer.drain()
        self._writer.write_eof()

    async def _carry_out(self, through: Callable[[bytes], bytes]) -> None:
        while chunk := await self._reader.read(CHUNK_BYTES):
            await self.out(through(chunk))


async def _quietly(carrying: Awaitable[None]) -> None:
    """One way; its end by the other side is no error."""
    with suppress(OSError, asyncssh.Error):
        await carrying
