"""The API of a running daemon, from outside, over its Unix socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import aiohttp

from deployd.errors import DeployError

LIMIT_SECONDS = 30.0


class DaemonUnreachable(DeployError):
    """No daemon answers."""

    code: ClassVar[str] = "daemon-unreachable"


class Refused(DeployError):
    """The daemon said no."""

    code: ClassVar[str] = "refused"

    def __init__(self, status: int, told: Mapping[str, Any]) -> None:
        super().__init__(
            str(told.get("what", f"the daemon answered with status {status}")), where=str(told.get("where", "")),
            evidence=tuple(told.get("evidence", ())), hint=str(told.get("hint", "")),
        )
        self.status = status


class Client:
    """Calls of the API; answers are the JSON of `queries/` and `commands/`."""

    def __init__(self, session: aiohttp.ClientSession, where: str) -> None:
        self._session = session
        self._where = where

    async def get(self, path: str, **query: str | int | None) -> Any:
        """
        Raises:
            Refused: With what the daemon said.
            DaemonUnreachable: Nobody answered.
        """
        return await self._ask("GET", path, params=_given(query))

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self._ask("POST", path, json=dict(body or {}))

    async def get_bytes(self, path: str) -> bytes:
        """What is no JSON, byte for byte."""
        found = await self._ask("GET", path, raw=True)
        assert isinstance(found, bytes)
        return found

    async def stream(self, path: str, **query: str | int | None) -> AsyncIterator[dict[str, Any]]:
        """What comes line by line; with `follow=1` until it ends, or without end."""
        no_end = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with self._session.get(path, params=_given(query), timeout=no_end) as answer:
                if answer.status != 200:
                    raise Refused(answer.status, await _told(answer))
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
            async with self._session.request(method, path, **more) as answer:
                if answer.status >= 400 and path not in ("/status", "/readyz"):
                    raise Refused(answer.status, await _told(answer))
                return await (answer.read() if raw else answer.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> DaemonUnreachable:
        cause = getattr(error, "os_error", None)
        why = getattr(cause, "strerror", None) or str(error) or type(error).__name__
        hint = "start it with `deployd serve`, or name its socket with --socket or DEPLOYD_SOCKET"
        if isinstance(cause, PermissionError):
            hint = "only the user who runs the daemon may open its socket: try sudo"
        return DaemonUnreachable(f"no deployd answers at {self._where} ({why})", hint=hint)


@asynccontextmanager
async def open_client(socket: Path) -> AsyncIterator[Client]:
    """The daemon behind a Unix socket."""
    connector = aiohttp.UnixConnector(str(socket))
    limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
    async with aiohttp.ClientSession("http://deployd", connector=connector, timeout=limit) as session:
        yield Client(session, str(socket))


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
