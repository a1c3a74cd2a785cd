"""The API of a running daemon, from outside: over its Unix socket, or with a token over HTTPS."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aiohttp

from deployd.errors import DeployError

LIMIT_SECONDS = 30.0
REMOTE_LIMIT_SECONDS = 300.0
"""What is sent may have 40 MB, and the way may be slow."""
UNAUTHORIZED = 401
AGAIN_SECONDS = 1.0


class DaemonUnreachable(DeployError):
    """No daemon answers."""

    code: ClassVar[str] = "daemon-unreachable"


class AnswerLost(DaemonUnreachable):
    """The connection broke after the question was sent."""


class Refused(DeployError):
    """The daemon said no."""

    code: ClassVar[str] = "refused"

    def __init__(self, status: int, told: Mapping[str, Any]) -> None:
        super().__init__(
            str(told.get("what", f"the daemon answered with status {status}")), where=str(told.get("where", "")),
            evidence=tuple(told.get("evidence", ())), hint=str(told.get("hint", "")),
        )
        self.status = status


class NotConfidential(DeployError):
    """A token would be sent for everybody on the way to read."""

    code: ClassVar[str] = "not-confidential"


@dataclass(frozen=True, slots=True)
class Remote:
    """A daemon on another machine."""

    url: str
    """`https://` and a host, nothing behind it."""
    token: str = field(repr=False)


DaemonAddress = Path | Remote
"""Where a daemon answers: its Unix socket, or an address."""


class Client:
    """Calls of the API; answers are the JSON of `queries/` and `commands/`."""

    def __init__(self, session: aiohttp.ClientSession, daemon: DaemonAddress) -> None:
        self._session = session
        self._daemon = daemon

    async def get(self, path: str, **query: str | int | None) -> Any:
        """
        Raises:
            Refused: With what the daemon said.
            DaemonUnreachable: Nobody answered.
        """
        return await self._ask("GET", path, params=_given(query))

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask once more when the answer was lost, by a reload for example: with its key it is done once."""
        headers = {"Idempotency-Key": str(uuid4())}
        try:
            return await self._ask("POST", path, json=dict(body or {}), headers=headers)
        except AnswerLost:
            await asyncio.sleep(AGAIN_SECONDS)
            return await self._ask("POST", path, json=dict(body or {}), headers=headers)

    async def post_for_secret(self, path: str, body: Mapping[str, Any]) -> Any:
        """Without a key, and so once: what is answered is kept nowhere, and cannot be told again."""
        return await self._ask("POST", path, json=dict(body))

    async def delete(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self._ask("DELETE", path, json=dict(body or {}))

    async def put(self, path: str, body: Mapping[str, Any], **query: str | int | None) -> Any:
        return await self._ask("PUT", path, json=dict(body), params=_given(query))

    async def get_bytes(self, path: str) -> bytes:
        """What is no JSON, byte for byte."""
        found = await self._ask("GET", path, raw=True)
        assert isinstance(found, bytes)
        return found

    async def stream(self, path: str, **query: str | int | None) -> AsyncIterator[dict[str, Any]]:
        """What comes line by line; with `follow=1` until it ends, or without end."""
        no_end = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with self._session.get(path, params=_given(query), timeout=no_end, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise await self._refused(answer)
                rest = b""
                # Not by lines of the library: it refuses those over 128 KiB.
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for raw in filter(None, lines):
                        yield json.loads(raw)
        except aiohttp.ClientError as error:
            raise self._unreachable(error) from None

    async def _ask(self, method: str, path: str, *, raw: bool = False, **more: Any) -> Any:
        try:
            # Whoever is led elsewhere would show the token there.
            async with self._session.request(method, path, allow_redirects=False, **more) as answer:
                if answer.status >= 300 and path not in ("/status", "/readyz"):
                    raise await self._refused(answer)
                return await (answer.read() if raw else answer.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from None

    async def _refused(self, answer: aiohttp.ClientResponse) -> Refused:
        if answer.status < 400:
            place = answer.headers.get("Location", "nowhere")[:200]
            return Refused(answer.status, {
                "what": f"{self._daemon_name} leads elsewhere, to {place}", "hint": "`deployd login` with that address",
            })
        error = Refused(answer.status, await _told(answer))
        if answer.status == UNAUTHORIZED and isinstance(self._daemon, Remote):
            error.hint = f"`deployd login {self._daemon.url}`, or set DEPLOYD_TOKEN"
        return error

    @property
    def _daemon_name(self) -> str:
        return self._daemon.url if isinstance(self._daemon, Remote) else str(self._daemon)

    def _unreachable(self, error: Exception) -> DaemonUnreachable:
        if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
            return AnswerLost(f"deployd at {self._daemon_name} broke off before it answered",
                              hint="look whether it was done: `deployd activities`")
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return DaemonUnreachable(
                f"nobody proves to be {self._daemon_name}: {error.certificate_error}",
                hint="use the host's name that stands in its certificate; SSL_CERT_FILE names authorities of your own",
            )
        cause = getattr(error, "os_error", None)
        why = getattr(cause, "strerror", None) or str(error) or type(error).__name__
        if isinstance(self._daemon, Remote):
            return DaemonUnreachable(f"no deployd answers at {self._daemon_name} ({why})",
                                     hint="look at the address; `deployd context` shows the hosts that are known")
        hint = "start it with `deployd serve`, or name its socket with --socket or DEPLOYD_SOCKET"
        if isinstance(cause, PermissionError):
            hint = "only the user who runs the daemon may open its socket: try sudo"
        return DaemonUnreachable(f"no deployd answers at {self._daemon_name} ({why})", hint=hint)


@asynccontextmanager
async def open_client(daemon: DaemonAddress) -> AsyncIterator[Client]:
    """The daemon there.

    Raises:
        NotConfidential: The token would be readable on its way.
    """
    if isinstance(daemon, Remote):
        refuse_readable(daemon.url)
        limit = aiohttp.ClientTimeout(total=REMOTE_LIMIT_SECONDS, sock_connect=LIMIT_SECONDS)
        headers = {"Authorization": f"Bearer {daemon.token}"} if daemon.token else {}
        async with aiohttp.ClientSession(daemon.url, headers=headers, timeout=limit) as session:
            yield Client(session, daemon)
        return
    connector = aiohttp.UnixConnector(str(daemon))
    limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
    async with aiohttp.ClientSession("http://deployd", connector=connector, timeout=limit) as session:
        yield Client(session, daemon)


def refuse_readable(url: str) -> None:
    """
    Raises:
        NotConfidential: Over this address everybody on the way could read a token. On this machine nobody is.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise NotConfidential(
        f"the token would be readable for everybody on the way to {url}",
        hint=f"use https://{parts.netloc}, or a tunnel: ssh -L 8480:127.0.0.1:8480 {host}",
    )


def environment_path(project: str, environment: str, *below: str) -> str:
    """Where an environment, or something of it, is in the API."""
    return project_path(project, "environments", environment, *below)


def project_path(project: str, *below: str) -> str:
    return "/api/v1/projects/" + "/".join(quote(part, safe="") for part in (project, *below))


def _given(query: Mapping[str, str | int | None]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


async def _told(answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
    try:
        told = await answer.json()
    except (aiohttp.ContentTypeError, ValueError):
        return {"what": (await answer.text())[:200] or f"status {answer.status}"}
    return told if isinstance(told, dict) else {}
