"""Into environments: the daemon begins a command in a container and hands its streams over; they are joined with the
client's channel here, past the daemon.

A daemon that is restarted is asked to go on with the session; its bytes flow meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

from deployd.ssh.link import LinkLost
from deployd.ssh.ports import Channel, Conversation, Daemon, Refused, Target, Who
from deployd.ssh.relay import Relay
from deployd.ssh.sftp_log import SftpLog

PATIENCE_SECONDS = 3.0
"""Without an answer for so long, whoever waits is told so."""
WAITS = "there is no answer yet: deployd is busy, or the data of the environment are just being copied"
BACK_SECONDS = 60.0
"""How long the daemon is waited for when a session goes on, or has ended, without it."""
AGAIN_SECONDS = 0.1
"""The link notices a moment after its conversations that a daemon has gone."""
UNKNOWN = 255
LONGEST_COMMAND = 60_000
"""Of its JSON: it goes over the link in one message."""
LOST = Refused("deployd does not answer, and how this ended is not known", hint="`systemctl status deployd`")


class Environments:
    """See `EnvironmentSessions`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def shell(self, who: Who, target: Target, channel: Channel) -> int:
        return await self._serve(who, target, channel, kind="shell")

    async def execute(self, who: Who, target: Target, command: str, channel: Channel) -> int:
        if len(json.dumps(command)) > LONGEST_COMMAND:
            raise Refused("this command is too long", hint="send it as the input of a shell: ssh … sh < script")
        return await self._serve(who, target, channel, kind="command", command=command)

    async def subsystem(self, who: Who, target: Target, name: str, channel: Channel) -> int:
        return await self._serve(who, target, channel, kind=name)

    async def tunnel(self, who: Who, target: Target, host: str, port: int) -> socket.socket:
        talk = await self._daemon.ask("tunnel", **who.values(), **_named(target), host=host, port=port)
        opened = _TunnelSocket(talk.sockets[0])
        twin = opened.twin()
        watching = asyncio.create_task(   # noqa: TID251  its owner is the socket, whose end cancels it
            self._watch(who, talk), name="ssh: whether a tunnel may go on",
        )

        def shut(_: object) -> None:   # here and not in the task: one that is cancelled early never begins
            talk.leave()
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)   # of the connection, whoever else has it
            twin.close()

        watching.add_done_callback(shut)
        opened.left = watching.cancel
        return opened

    async def _watch(self, who: Who, talk: Conversation) -> None:
        """Until the daemon says that a tunnel is to end, over its restarts. Cancelled when the tunnel has ended."""
        stay = str(talk.answer.get("stay", ""))
        with suppress(Refused):
            while True:
                try:
                    while await talk.note() is not None:
                        pass
                    if talk.end.get("again") is not True:
                        return
                except LinkLost:
                    pass
                finally:
                    talk.leave()
                await asyncio.sleep(AGAIN_SECONDS)
                talk = await self._resume(who, stay)

    async def _resume(self, who: Who, stay: str) -> Conversation:
        """For as long as it takes.

        Raises:
            Refused: It is over.
        """
        while True:
            if await self._daemon.until_there(BACK_SECONDS):
                with suppress(LinkLost):
                    return await self._daemon.ask("resume", **who.values(), stay=stay)
                await asyncio.sleep(0.5)

    async def _serve(self, who: Who, target: Target, channel: Channel, **wanted: str) -> int:
        talk = await self._enter(channel, {**who.values(), **_named(target), **wanted, **_surroundings(channel)})
        relay = Relay(channel, talk.sockets[0], framed=talk.answer.get("framed") is True)
        if wanted["kind"] == "sftp":
            mounts = talk.answer.get("mounts")
            relay.heard = SftpLog(tuple(map(str, mounts)) if isinstance(mounts, list) else (), relay.say)
        try:
            async with asyncio.TaskGroup() as group:
                relaying = group.create_task(relay.carry(), name="ssh streams")
                try:
                    return await self._outcome(who, talk, relay)
                finally:
                    relaying.cancel()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        finally:
            relay.close()

    async def _enter(self, channel: Channel, values: Mapping[str, object]) -> Conversation:
        later = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, _tell_that_it_waits, channel)
        try:
            return await self._daemon.ask("enter", **values)
        finally:
            later.cancel()

    async def _outcome(self, who: Who, talk: Conversation, relay: Relay) -> int:
        """The status of the session, from whichever daemon knows it."""
        stay = str(talk.answer.get("stay", ""))
        while True:
            try:
                relay.talk = talk
                while (said := await talk.note()) is not None:
                    if "status" in said:
                        await relay.until_quiet()
                    relay.hear(said)
                    if "status" in said:
                        return int(said["status"])
                if talk.end.get("again") is not True:
                    return UNKNOWN
            except LinkLost:
                pass
            finally:
                relay.talk = None
                talk.leave()
            await asyncio.sleep(AGAIN_SECONDS)
            talk = await self._again(who, stay, relay)

    async def _again(self, who: Who, stay: str, relay: Relay) -> Conversation:
        """
        Raises:
            Refused: The session is over, and nobody knows how.
        """
        while True:
            there = await self._daemon.until_there(BACK_SECONDS)
            if there:
                with suppress(LinkLost):
                    return await self._daemon.ask("resume", **who.values(), stay=stay)
                await asyncio.sleep(0.5)
            elif relay.is_over:
                raise LOST


class _TunnelSocket(socket.socket):
    """A connected socket whose end somebody wants to know of."""

    def __init__(self, opened: socket.socket) -> None:
        super().__init__(opened.family, opened.type, opened.proto, opened.detach())
        self.left: Callable[[], object] = bool

    def twin(self) -> socket.socket:
        """The same connection once more."""
        return socket.socket(self.family, self.type, self.proto, os.dup(self.fileno()))

    def close(self) -> None:
        super().close()
        self.left()

    def detach(self) -> int:
        """So uvloop closes a socket that it was handed: by its number."""
        self.left()
        return super().detach()


def _tell_that_it_waits(channel: Channel) -> None:
    if not channel.is_closing():
        channel.stderr.write(f"deployd: {WAITS}{_ending(channel)}".encode())


def _ending(channel: Channel) -> str:
    """Of a line on stderr: a terminal of the client's is raw."""
    return "\r\n" if channel.term_type else "\n"


def _named(target: Target) -> dict[str, str]:
    return {"environment": target.environment, "project": target.project, "worker": target.worker}


def _surroundings(channel: Channel) -> dict[str, object]:
    """The client's terminal and language; the daemon takes of it what it likes."""
    env = {name: value for name, value in dict(channel.env).items() if name == "LANG" or name.startswith("LC_")}
    if not channel.term_type:
        return {"env": env}
    columns, rows, *_ = channel.term_size
    return {"env": env, "term": channel.term_type, "columns": columns, "rows": rows}
