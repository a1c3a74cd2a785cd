"""git over SSH, the daemon's side: what `deployd-ssh` asks of it (`ssh/link.py`), with the key that signed."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from deployd.access.caller import Caller
from deployd.access.errors import Unauthorized
from deployd.errors import DeployError
from deployd.ids import ActivityId, ProjectId
from deployd.intake.git_service import GitService
from deployd.intake.git_transfer import Client, GitRefused, Service, Transfer
from deployd.intake.ports import Following, Intake
from deployd.intake.push_sessions import Stored
from deployd.ssh.link_server import Handler, Question
from deployd.ssh.sockets import socket_pair

SILENT_SECONDS = 120.0
"""As over HTTP."""
READ_BYTES = 262_144
CallerOf = Callable[[Question], Caller]
"""Raises DeployError for a key that is known no longer."""


class SshGit:
    """Handlers of `git` and `follow`."""

    def __init__(self, intake: Intake, service: GitService, caller_of: CallerOf) -> None:
        self._intake = intake
        self._service = service
        self._caller_of = caller_of

    def handlers(self) -> Mapping[str, Handler]:
        return {"git": self.git, "follow": self.follow}

    async def git(self, question: Question) -> Mapping[str, object]:
        """Join the two ends of a socket with git.

        Raises:
            DeployError: It is not done, and nothing has begun.
        """
        transfer = self._transfer(question)
        with _refusals():
            async with self._service.limited(transfer):
                client = await _answer_with_client(question)
                with closing(client), self._intake.sessions.open(transfer.session, _teller(question)):
                    async with self._service.queued(transfer):
                        ended = await self._service.run(transfer, client)
        return {"status": ended.status}

    async def follow(self, question: Question) -> None:
        """Say the lines of an activity's log, as JSON; `end` when it is over, nothing when the daemon is, or when the
        caller may see it no more: whoever asks again is told so.

        Raises:
            DeployError: There is no such activity for this caller.
        """
        activity = ActivityId(int(question.text("activity")))
        project = await self._intake.logs.project_of(activity)
        if project is None or not self._may_see(question, project):
            raise DeployError(f"there is no activity {activity}")
        client = await _answer_with_client(question)
        after = int(question.text("after") or "0")
        with closing(client), closing(self._intake.logs.follow(activity, after)) as following:
            is_told = await _tell_lines(client, following, lambda: self._may_see(question, project))
            if is_told and not self._intake.logs.stopping:
                await client.write(b'{"end": true}\n')

    def _may_see(self, question: Question, project: ProjectId) -> bool:
        try:
            return self._caller_of(question).may_see(project)
        except Unauthorized:
            return False

    def _transfer(self, question: Question) -> Transfer:
        caller, address = self._caller_of(question), question.text("address")
        try:
            kind = Service(question.text("service"))
        except ValueError:
            raise DeployError(f"git has no service {question.text('service')[:40]!r}") from None
        with _refusals():
            project = self._service.admit(caller, ProjectId(question.text("project")), kind, address)
        return Transfer(
            project, caller, kind, protocol=question.text("protocol"), address=address, by=f"ssh, key {caller.by}",
            session=secrets.token_hex(16),
        )


class SocketClient(Client):
    """The other end of a session's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                return await self._reader.read(READ_BYTES)
        except (OSError, TimeoutError):
            return b""

    async def write(self, chunk: bytes) -> bool:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                self._writer.write(chunk)
                await self._writer.drain()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
            return False
        return True

    def close(self) -> None:
        self._writer.close()


async def _answer_with_client(question: Question) -> SocketClient:
    ours, theirs = socket_pair()
    try:
        await question.answer([theirs])
        reader, writer = await asyncio.open_unix_connection(sock=_unblocked(ours), limit=READ_BYTES)
    except BaseException:
        ours.close()
        raise
    return SocketClient(reader, writer)


def _unblocked(one: socket.socket) -> socket.socket:
    one.setblocking(False)
    return one


def _teller(question: Question) -> Stored:
    async def tell(activities: Sequence[ActivityId]) -> None:
        await question.tell(activities=list(activities))

    return tell


async def _tell_lines(client: SocketClient, following: Following, may_see: Callable[[], bool]) -> bool:
    """Whether the client was there to the end, and might see all of it."""
    while (lines := await following.take()) is not None:
        if not may_see():
            return False
        said = json.dumps({"after": following.after, "lines": lines}).encode()   # none at a heartbeat
        if not await client.write(said + b"\n"):
            return False
    return True


@contextmanager
def _refusals() -> Iterator[None]:
    """Why git is not served, as an error with its hint."""
    try:
        yield
    except GitRefused as error:
        what, *more = str(error).splitlines()
        raise DeployError(what, hint="; ".join(more)) from None
