"""git over HTTP: addresses, tokens, statuses and the client's two pipes; what is served is in `git_service.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from aiohttp import ClientError, web

from deployd.access.concurrency import TooMany
from deployd.access.tokens import FindCaller
from deployd.http.failed_sign_ins import source_of
from deployd.http.outlasts_reload import OUTLASTS_RELOAD
from deployd.ids import ProjectId
from deployd.intake.git_service import GitService
from deployd.intake.git_transfer import GitRefused, MayNotPush, NoRoom, NoSuchProject, Service, Transfer
from deployd.intake.push import GIT

SILENT_SECONDS = 120   # a client that sends or reads nothing for so long in the middle of a pack is gone
STATELESS = "--stateless-rpc"
STATUSES: dict[type[GitRefused], type[web.HTTPException]] = {
    NoSuchProject: web.HTTPNotFound, MayNotPush: web.HTTPForbidden, NoRoom: web.HTTPInsufficientStorage,
}
NO_LFS = (
    "deployd keeps no files of Git LFS. Let git have them itself (git lfs migrate export --everything --include=...),"
    " or name a server for them in .lfsconfig; GIT_LFS_SKIP_PUSH=1 git push pushes without them"
)
"""What git-lfs prints. Without an answer of its kind it says that the repository does not exist."""
NO_CACHE = {"Cache-Control": "no-cache, max-age=0, must-revalidate", "Pragma": "no-cache"}


def git_routes(find: FindCaller, service: GitService) -> list[web.RouteDef]:
    """Routes of the public application: /git/<project>.git/…"""
    door = _Door(find, service)
    base = "/git/{project}.git"
    return [
        web.route("*", f"{base}/info/lfs/{{rest:.*}}", door.lfs),
        web.get(f"{base}/info/refs", door.info_refs),
        *(web.post(f"{base}/{kind.value}", partial(door.converse, kind)) for kind in Service),
    ]


class _Door:
    def __init__(self, find: FindCaller, service: GitService) -> None:
        self._find = find
        self._service = service

    async def info_refs(self, request: web.Request) -> web.StreamResponse:
        """Which branches and tags there are: the first half of a conversation."""
        name = request.query.get("service", "")
        if name not in {kind.value for kind in Service}:
            return web.Response(status=403, text="only the smart protocol is spoken here: use a newer git\n")
        transfer = self._transfer(request, Service(name), STATELESS, "--http-backend-info-refs", only_refs=True)
        has_head = "version=2" not in transfer.protocol.split(":") or transfer.service is not Service.FETCH
        head = _packet(f"# service={name}\n") + b"0000" if has_head else b""
        return await self._serve(request, transfer, f"application/x-{name}-advertisement", head)

    async def converse(self, kind: Service, request: web.Request) -> web.StreamResponse:
        """The second half: what the client has and wants, or what it pushes."""
        if request.content_type != f"application/x-{kind.value}-request":   # what no form of a browser can send
            raise web.HTTPUnsupportedMediaType(text="deployd: only git speaks here\n")
        transfer = self._transfer(request, kind, STATELESS)
        return await self._serve(request, transfer, f"application/x-{kind.value}-result")

    async def lfs(self, request: web.Request) -> web.Response:
        self._transfer(request, Service.FETCH)
        return web.json_response({"message": NO_LFS}, status=501, content_type="application/vnd.git-lfs+json")

    def _transfer(
        self, request: web.Request, kind: Service, *arguments: str, only_refs: bool = False,
    ) -> Transfer:
        """
        Raises:
            HTTPUnauthorized: No token or an unknown one; it is logged with the address, never with the secret.
            HTTPForbidden: The caller's role does not push.
            HTTPNotFound: There is no such project for this caller.
        """
        caller = self._find(request.headers.get("Authorization"))
        if caller is None:
            raise web.HTTPUnauthorized(
                headers={"WWW-Authenticate": 'Basic realm="deployd", charset="UTF-8"'},
                text="deployd: the password must be one of its tokens; any user name will do\n",
            )
        with _refused():
            project = self._service.admit(caller, ProjectId(request.match_info["project"]), kind, request.remote)
        return Transfer(
            project, caller, kind, arguments, request.headers.get("Git-Protocol", ""), only_refs,
            address=source_of(request.remote, request.headers.get("X-Forwarded-For", "")),
            by=f"{GIT}, token {caller.by}" if caller.by else GIT,
        )

    async def _serve(
        self, request: web.Request, transfer: Transfer, content_type: str, head: bytes = b"",
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type, **NO_CACHE})
        with _refused():   # before anything is answered: git shows a refusal then
            async with self._service.limited(transfer):
                with suppress(ConnectionError):   # who asked has left
                    await response.prepare(request)
                    if head:
                        await response.write(head)
                    async with self._service.queued(transfer):
                        request[OUTLASTS_RELOAD] = True
                        client = _HttpClient(request, response, transfer.only_refs)
                        if (await self._service.run(transfer, client)).there:
                            await response.write_eof()
        return response


class _HttpClient:
    """The body of a request, and of its response."""

    def __init__(self, request: web.Request, response: web.StreamResponse, says_nothing: bool) -> None:
        self._request = request
        self._response = response
        self._says_nothing = says_nothing

    async def read(self) -> bytes:
        """aiohttp has inflated it when git sent it compressed, a piece at a time."""
        if self._says_nothing:
            return b""
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                return await self._request.content.readany()
        except (ConnectionError, ClientError, TimeoutError):
            return b""

    async def write(self, chunk: bytes) -> bool:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                await self._response.write(chunk)
        except ConnectionError:
            return False
        except TimeoutError:   # or git would wait for it as long as the connection lasts
            if self._request.transport is not None:
                self._request.transport.abort()
            return False
        return True


@contextmanager
def _refused() -> Iterator[None]:
    """Refusals as statuses; git shows their text."""
    try:
        yield
    except GitRefused as error:
        raise STATUSES[type(error)](text=f"deployd: {error}") from None
    except TooMany as error:
        raise web.HTTPTooManyRequests(text="".join(f"deployd: {line}\n" for line in error.lines())) from None


def _packet(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()
