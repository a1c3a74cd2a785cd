"""What git is served: who may fetch and push what, how much of it at once, and the program that does it.

Knows no HTTP: a face finds out whose token it is, hands in the two pipes to its client, and shows refusals its way.
Both directions are streamed: a push of gigabytes needs no memory of ours. The receive hooks (`receive_hook.py`) call
back over the daemon's own socket; that is where a push is checked and followed, see `receive_hook_routes.py`.
Surprise: a pusher who leaves does not end git: the branch may have moved already, and the hook after it queues the
push.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress

import structlog

from deployd.access.actions import Action, may
from deployd.access.caller import Caller
from deployd.access.concurrency import RequestLimit, RequestQueue
from deployd.git.program import git_environment
from deployd.ids import ProjectId
from deployd.intake.git_transfer import Client, Ended, MayNotPush, NoSuchProject, Service, Transfer
from deployd.intake.ports import Intake
from deployd.intake.push_commands import PushCommands
from deployd.intake.repository_room import RepositoryRoom
from deployd.process import Process, open_process
from deployd.settings import ProjectSettings
from deployd.units import MEGABYTE

log = structlog.get_logger()

CHUNK_BYTES = 65_536
BOUNDED = ("nice", "-n", "5", "prlimit", "--cpu=1800", f"--data={4 * 1024**3}", "--")
"""A pack of 2 GB needs minutes; one that is made to be slow to unpack would take days. What a client may name before it
(millions of refs) git keeps in memory."""
STREAMS = 100
AT_ONCE, AT_ONCE_OF_ONE = 256, 8
"""Processes that answer readers; whoever comes when a token has that many waits for one of them to end. Pushes are not
among them: they stay until the deployment is done."""
REPOSITORY_BYTES = 10_000 * MEGABYTE


class GitService:
    """Serves the repositories of all projects."""

    def __init__(
        self, intake: Intake, streams: int = STREAMS,
        repository_bytes: Callable[[ProjectId], int] = lambda _: REPOSITORY_BYTES,
    ) -> None:
        """
        Args:
            streams: Transfers that one caller may have under way.
            repository_bytes: What the repository of a project may take.
        """
        self._intake = intake
        self._limit = RequestLimit(streams)
        self._queue = RequestQueue(AT_ONCE, AT_ONCE_OF_ONE)
        self._room = RepositoryRoom(intake.repositories, repository_bytes)

    def admit(self, caller: Caller, name: ProjectId, service: Service, source: str | None) -> ProjectSettings:
        """The project that somebody may fetch from, or push to.

        Args:
            source: Where it is asked from, for the operator's log.

        Raises:
            NoSuchProject: There is none for this caller.
            MayNotPush: The caller's role does not push.
        """
        project = self._intake.projects.get(name)
        if project is None or not caller.may_see(name):
            log.warning("git_refused", project=name, source=source, who=caller.name, reason="no such project")
            raise NoSuchProject(f"there is no project {name} for {caller.title}\n")
        if service is Service.PUSH and not may(caller, Action.PUSH, name):
            role = caller.role_in(name)
            raise MayNotPush(f"{caller.title} is a {role.value if role else 'nobody'} of {name} and may not push\n")
        return project

    @asynccontextmanager
    async def limited(self, transfer: Transfer) -> AsyncIterator[None]:
        """To be held around the whole; whatever is refused is refused before anything is answered.

        Raises:
            TooMany: The caller has as many transfers under way as it may.
            NoRoom: A push could not be stored, or the repository has all that it may have.
        """
        with self._limit.take(transfer.caller.name):
            await self._room.refuse_without(transfer.project, transfer.service)
            yield

    def queued(self, transfer: Transfer) -> AbstractAsyncContextManager[None]:
        """To be held while git runs: what is soon over waits for others of its kind."""
        is_soon_over = transfer.only_refs or transfer.service is Service.FETCH
        return self._queue.take(transfer.caller.name) if is_soon_over else nullcontext()

    async def run(self, transfer: Transfer, client: Client) -> Ended:
        """Run git until it ends."""
        repository = await self._intake.repositories.path(transfer.project)
        program = transfer.service.value.removeprefix("git-")
        async with open_process(
            *BOUNDED, "git", program, *transfer.arguments, str(repository), env=_environment(transfer),
        ) as process, asyncio.TaskGroup() as group:
            request = group.create_task(_pump_in(transfer, client, process), name="git request")
            errors = group.create_task(process.stderr.read(), name="git errors")
            there = await _pump_out(transfer, client, process)
            status = await process.wait()
            request.cancel()   # of a client that waits for what is said after it
        if status != 0 and there:
            log.warning("git_failed", project=transfer.project.id, service=transfer.service.value, status=status,
                        said=errors.result()[-500:].decode(errors="replace"))
        return Ended(status, there)


def _environment(transfer: Transfer) -> dict[str, str]:
    """With what the receive hooks tell the daemon."""
    return git_environment({
        "DEPLOYD_PROJECT": transfer.project.id,
        "DEPLOYD_WHO": transfer.caller.name,
        "DEPLOYD_ADDRESS": transfer.address,
        "DEPLOYD_BY": transfer.by,
        **({"GIT_PROTOCOL": transfer.protocol} if transfer.protocol else {}),
        **({"DEPLOYD_SESSION": transfer.session} if transfer.session else {}),
    })


async def _pump_in(transfer: Transfer, client: Client, process: Process) -> None:
    """What the client says into git. When it left in the middle git sees the end, and takes nothing half."""
    commands = PushCommands() if transfer.service is Service.PUSH else None
    with suppress(ConnectionError):   # git has read enough
        while chunk := await client.read():
            if commands is not None and commands.are_too_many(chunk):
                log.warning("git_refused", project=transfer.project.id,
                            reason="more branches and tags than a push may have")
                break
            process.stdin.write(chunk)
            await process.stdin.drain()
    process.stdin.close()


async def _pump_out(transfer: Transfer, client: Client, process: Process) -> bool:
    """What git says to the client. Whether it was there to the end; without its reader a fetch is ended."""
    there = True
    while chunk := await process.stdout.read(CHUNK_BYTES):
        there = there and await client.write(chunk)
        if not there and transfer.service is Service.FETCH:
            process.end()
    return there
