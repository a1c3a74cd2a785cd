"""git over HTTP: the smart protocol, spoken by git itself; here are only who may, and the pipes.

Both directions are streamed: a push of gigabytes needs no memory of ours. The receive hooks (`receive_hook.py`) call
back over the daemon's own socket; that is where a push is checked and followed, see `internal.py`.
Surprise: a pusher who leaves does not end git: the branch may have moved already, and the hook after it queues the
push.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import structlog
from aiohttp import ClientError, web

from deployd.access.actions import Action, may
from deployd.access.tokens import find_token
from deployd.confined.trees import size_of
from deployd.errors import DeployError
from deployd.git.program import git_environment
from deployd.http.guesses import source_of
from deployd.http.lasting import LASTING
from deployd.http.seats import Seats, TooMany, Turns
from deployd.ids import ProjectId
from deployd.intake.ports import Intake
from deployd.process import Process, open_process
from deployd.settings import ProjectSettings, Token
from deployd.units import MEGABYTE

log = structlog.get_logger()

CHUNK_BYTES = 65_536
SILENT_SECONDS = 120   # a client that sends or reads nothing for so long in the middle of a pack is gone
READING = "git-upload-pack"
SERVICES = {"git-upload-pack": "upload-pack", "git-receive-pack": "receive-pack"}
LEAST_FREE_BYTES = 1_000_000
"""With less git could not even begin to take a push."""
BOUNDED = ("nice", "-n", "5", "prlimit", "--cpu=1800", f"--data={4 * 1024**3}", "--")
"""A pack of 2 GB needs minutes; one that is made to be slow to unpack would take days. What a client may name before it
(millions of refs) git keeps in memory."""
STREAMS = 100
AT_ONCE, AT_ONCE_OF_ONE = 256, 8
"""Processes that answer readers; whoever comes when a token has that many waits for one of them to end. Pushes are not
among them: they stay until the deployment is done."""
REPOSITORY_BYTES = 10_000 * MEGABYTE
COMMANDS_BYTES = 4_000_000
"""Of the lines for branches and tags of one push: some 20,000, ten times as many as are taken."""
LENGTH_DIGITS = 4
"""Begin each line of git's protocol; they count themselves. Fewer than that, and it is no line but a mark."""
COUNTED_SECONDS = 10.0
"""How long what was counted of a repository is good."""
NO_LFS = (
    "deployd keeps no files of Git LFS. Let git have them itself (git lfs migrate export --everything --include=...),"
    " or name a server for them in .lfsconfig; GIT_LFS_SKIP_PUSH=1 git push pushes without them"
)
"""What git-lfs prints. Without an answer of its kind it says that the repository does not exist."""
NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def git_routes(
    intake: Intake, streams: int = STREAMS, repository_bytes: Callable[[ProjectId], int] = lambda _: REPOSITORY_BYTES,
) -> list[web.RouteDef]:
    """Routes of the public application: /git/<project>.git/…

    Args:
        streams: Transfers that one token may have under way.
        repository_bytes: What the repository of a project may take.
    """
    seats, turns, sizes = Seats(streams), Turns(AT_ONCE, AT_ONCE_OF_ONE), _Sizes()

    async def info_refs(request: web.Request) -> web.StreamResponse:
        service = request.query.get("service", "")
        if service not in SERVICES:
            return web.Response(status=403, text="only the smart protocol is spoken here: use a newer git\n")
        project, token = _admit(request, intake, service)
        with _seat(seats, token):
            # Before anything is answered: git shows a refusal then.
            await _refuse_without_room(intake, project, service, sizes, repository_bytes(project.id))
            kind = f"application/x-{service}-advertisement"
            response = web.StreamResponse(headers={"Content-Type": kind, **NO_CACHE})
            arguments = ("--stateless-rpc", "--http-backend-info-refs")
            with suppress(ConnectionError):   # who asked has left
                await response.prepare(request)
                if "version=2" not in request.headers.get("Git-Protocol", "").split(":") or service != READING:
                    await response.write(_packet(f"# service={service}\n") + b"0000")
                async with turns.take(token.name):
                    await _serve(request, response, intake, project, service, arguments, None, with_body=False)
        return response

    def rpc(service: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.content_type != f"application/x-{service}-request":   # what no form of a browser can send
                raise web.HTTPUnsupportedMediaType(text="deployd: only git speaks here\n")
            project, token = _admit(request, intake, service)
            with _seat(seats, token):
                await _refuse_without_room(intake, project, service, sizes, repository_bytes(project.id))
                response = web.StreamResponse(headers={"Content-Type": f"application/x-{service}-result", **NO_CACHE})
                turn = turns.take(token.name) if service == READING else nullcontext()
                with suppress(ConnectionError):
                    await response.prepare(request)
                    async with turn:
                        await _serve(
                            request, response, intake, project, service, ("--stateless-rpc",), token, with_body=True,
                        )
            return response
        return handle

    async def no_lfs(request: web.Request) -> web.Response:
        _admit(request, intake, READING)
        return web.json_response({"message": NO_LFS}, status=501, content_type="application/vnd.git-lfs+json")

    base = "/git/{project}.git"
    return [
        web.route("*", f"{base}/info/lfs/{{rest:.*}}", no_lfs),
        web.get(f"{base}/info/refs", info_refs),
        *(web.post(f"{base}/{service}", rpc(service)) for service in SERVICES),
    ]


def _admit(request: web.Request, intake: Intake, service: str) -> tuple[ProjectSettings, Token]:
    """Who may, to what.

    Raises:
        HTTPUnauthorized: No token or an unknown one; it is logged with the address, never with the secret.
        HTTPForbidden: The token's role does not push.
        HTTPNotFound: There is no such project for this token.
    """
    name = ProjectId(request.match_info["project"])
    token = find_token(intake.tokens, request.headers.get("Authorization"))
    if token is None:
        raise web.HTTPUnauthorized(
            headers={"WWW-Authenticate": 'Basic realm="deployd", charset="UTF-8"'},
            text="deployd: the password must be one of its tokens; any user name will do\n",
        )
    project = intake.projects.get(name)
    if project is None or not token.may_see(name):
        log.warning("git_refused", project=name, source=request.remote, token=token.name, reason="no such project")
        raise web.HTTPNotFound(text=f"deployd: there is no project {name} for the token {token.name}\n")
    if service == "git-receive-pack" and not may(token.role, Action.PUSH):
        raise web.HTTPForbidden(text=f"deployd: the token {token.name} is a {token.role}'s and may not push\n")
    return project, token


@contextmanager
def _seat(seats: Seats, token: Token) -> Iterator[None]:
    """
    Raises:
        HTTPTooManyRequests: The token has all of its seats.
    """
    try:
        with seats.take(token.name):
            yield
    except TooMany as error:
        raise web.HTTPTooManyRequests(text="".join(f"deployd: {line}\n" for line in error.lines())) from None


class _Sizes:
    """What repositories take. To count is a program, and a push asks twice within a moment."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[float, int]] = {}

    async def of(self, repository: Path) -> int:
        now = asyncio.get_running_loop().time()
        counted, size = self._known.get(repository, (-COUNTED_SECONDS, 0))
        if now - counted >= COUNTED_SECONDS:
            size = await size_of(repository)
            self._known[repository] = (now, size)
        return size


async def _refuse_without_room(
    intake: Intake, project: ProjectSettings, service: str, sizes: _Sizes, repository_bytes: int,
) -> None:
    """
    Raises:
        HTTPInsufficientStorage: A push could not be stored, or the repository has all that it may have.
    """
    try:
        repository = await intake.repositories.path(project)
        disk = await asyncio.to_thread(os.statvfs, repository)
        if service != "git-receive-pack":
            return
        mend = "make room on the disk"
        if disk.f_bavail * disk.f_frsize < LEAST_FREE_BYTES:
            why = f"the disk of {repository} is full"
        elif await sizes.of(repository) > repository_bytes:
            why = f"its repository takes more than its share of {repository_bytes // MEGABYTE} MB"
            mend = "have the operator raise shares.repository_mb"
        else:
            return
    except (OSError, DeployError) as error:
        why, mend = f"its repository cannot be made: {error}", "make room on the disk"
    log.error("git_refused", project=project.id, reason=why)
    raise web.HTTPInsufficientStorage(
        text=f"deployd: cannot take a push to {project.id}: {why}\n"
             f"nothing was changed and what is live goes on; {mend} and push again\n",
    )


async def _serve(
    request: web.Request, response: web.StreamResponse, intake: Intake, project: ProjectSettings, service: str,
    arguments: tuple[str, ...], token: Token | None, *, with_body: bool,
) -> None:
    repository = await intake.repositories.path(project)
    env = git_environment({
        "DEPLOYD_PROJECT": project.id,
        "DEPLOYD_WHO": token.name if token else "",
        "DEPLOYD_ADDRESS": source_of(request.remote, request.headers.get("X-Forwarded-For", "")),
        **({"GIT_PROTOCOL": request.headers["Git-Protocol"]} if "Git-Protocol" in request.headers else {}),
    })
    request[LASTING] = True
    async with open_process(
        *BOUNDED, "git", SERVICES[service], *arguments, str(repository), env=env, with_stdin=with_body,
    ) as process, asyncio.TaskGroup() as group:
        if with_body:
            commands = _Commands() if service == "git-receive-pack" else None
            group.create_task(_pump_in(request, process, commands), name="git request")
        errors = group.create_task(process.stderr.read(), name="git errors")
        there = True
        while chunk := await process.stdout.read(CHUNK_BYTES):
            there = there and await _written(request, response, chunk)
            if not there and service == READING:
                process.end()
        status = await process.wait()
    if status != 0 and there:
        log.warning("git_failed", project=project.id, service=service, status=status,
                    said=errors.result()[-500:].decode(errors="replace"))
    if there:
        await response.write_eof()


async def _written(request: web.Request, response: web.StreamResponse, chunk: bytes) -> bool:
    """Whether the client is still there to read it."""
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            await response.write(chunk)
    except ConnectionError:
        return False
    except TimeoutError:   # or git would wait for it as long as the connection lasts
        if request.transport is not None:
            request.transport.abort()
        return False
    return True


class _Commands:
    """What a push begins with: a line for each branch and tag, up to an empty one (gitprotocol-pack).

    git keeps them all in memory before a hook can count them; two million took 700 MB.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._ended = False

    def are_too_many(self, chunk: bytes) -> bool:
        """
        Args:
            chunk: What comes next of the request.
        """
        if self._ended:
            return False
        self._rest += chunk
        while len(self._rest) >= LENGTH_DIGITS:
            try:
                size = int(self._rest[:LENGTH_DIGITS], 16)
            except ValueError:   # git itself says what it thinks of it
                size = 0
            if size < LENGTH_DIGITS:
                self._ended, self._rest = True, b""
            elif len(self._rest) < size:
                break
            else:
                self._rest, self._size = self._rest[size:], self._size + size
        return self._size + len(self._rest) > COMMANDS_BYTES


async def _pump_in(request: web.Request, process: Process, commands: _Commands | None) -> None:
    """The request's body into git. aiohttp has inflated it when git sent it compressed, a piece at a time."""
    # git has read enough, the client left or fell silent in the middle: git sees the end and takes nothing half
    with suppress(ConnectionError, ClientError, TimeoutError):
        while chunk := await _some(request):
            if commands is not None and commands.are_too_many(chunk):
                log.warning("git_refused", path=request.path, reason="more branches and tags than a push may have")
                break
            process.stdin.write(chunk)
            await process.stdin.drain()
    process.stdin.close()


async def _some(request: web.Request) -> bytes:
    async with asyncio.timeout(SILENT_SECONDS):
        return await request.content.readany()


def _packet(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()
