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
            evidence=tuple(told.get("evidence", ())), mend=str(told.get("mend", "")),
        )
        self.status = status


class Client:
    """Calls of the API; answers are the JSON of `api/shapes.py`."""

    def __init__(self, session: aiohttp.ClientSession, where: str) -> None:
        self._session = session
        self._where = where

    async def get(self, path: str, **query: str | int | None) -> Any:
        """
        Raises:
            Refused: With what the daemon said.
            DaemonUnreachable: Nobody answered.
        """
        asked = {name: str(value) for name, value in query.items() if value is not None}
        return await self._ask("GET", path, params=asked)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self._ask("POST", path, json=dict(body or {}))

    async def redeploy(self, project: str, environment: str) -> Any:
        return await self.post(f"{_environment(project, environment)}/redeploy")

    async def rollback(self, project: str, environment: str, to: int | None, *, lock: bool | None = None) -> Any:
        return await self.post(f"{_environment(project, environment)}/rollback", {"to": to, "lock": lock})

    async def delete(self, project: str, environment: str) -> Any:
        return await self._ask("DELETE", _environment(project, environment), json={})

    async def versions(self, project: str, environment: str) -> list[dict[str, Any]]:
        """What was live in an environment, newest first."""
        found = await self.get(f"{_environment(project, environment)}/versions")
        return list(found["items"])

    async def forecast(self, project: str, environment: str, kind: str, to: int | None = None) -> Any:
        """What a redeploy, a rollback or a deletion would do."""
        return await self.get(f"{_environment(project, environment)}/forecast", kind=kind, to=to)

    async def crons(self, project: str, environment: str) -> list[dict[str, Any]]:
        found = await self.get(f"{_environment(project, environment)}/crons")
        return list(found["items"])

    async def run_cron(self, project: str, environment: str, app: str, cron: str) -> Any:
        return await self.post(f"{_environment(project, environment)}/crons/run", {"app": app, "cron": cron})

    async def lock(self, project: str, environment: str, reason: str) -> Any:
        return await self.post(f"{_environment(project, environment)}/lock", {"reason": reason})

    async def unlock(self, project: str, environment: str) -> Any:
        return await self.post(f"{_environment(project, environment)}/unlock")

    async def make_pass(self, project: str, environment: str) -> Any:
        return await self.post(f"{_environment(project, environment)}/pass")

    async def plan(self, project: str, offered: Mapping[str, Any]) -> Any:
        """What a push would do; `offered` is the body that the API's route takes."""
        return await self.post(f"/api/v1/projects/{quote(project, safe='')}/plan", offered)

    async def usage(self, project: str | None, environment: str | None) -> list[dict[str, Any]]:
        """What applications, workers and services use now."""
        found = await self.get("/api/v1/usage", project=project, environment=environment)
        return list(found["items"])

    async def log(self, activity: int, *, follow: bool, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Lines of an activity's log; with `follow` until it ends."""
        path = f"/api/v1/activities/{activity}/log"
        async for item in self._stream(path, {"after": str(after), "follow": "1" if follow else "0"}):
            yield item

    async def access_log(
        self, project: str, environment: str, *, follow: bool, lines: int,
    ) -> AsyncIterator[dict[str, Any]]:
        """Requests of an environment's visitors, oldest first; with `follow` without end."""
        path = f"{_environment(project, environment)}/access-log"
        async for item in self._stream(path, {"lines": str(lines), "follow": "1" if follow else "0"}):
            yield item

    async def mails(self, project: str, environment: str) -> Any:
        return await self.get(f"{_environment(project, environment)}/mail")

    async def mail(self, project: str, environment: str, number: int) -> bytes:
        """A mail of an environment's box, byte for byte."""
        found = await self._ask("GET", f"{_environment(project, environment)}/mail/{number}", raw=True)
        assert isinstance(found, bytes)
        return found
    async def output(
        self, project: str, environment: str, asked: Mapping[str, str | int | None], *, follow: bool,
    ) -> AsyncIterator[dict[str, Any]]:
        """Lines that containers and crons of an environment printed; with `follow` without end.

        Args:
            asked: As the API's route takes it.
        """
        path = f"{_environment(project, environment)}/logs"
        query = {name: str(value) for name, value in asked.items() if value is not None}
        async for item in self._stream(path, {**query, "follow": "1" if follow else "0"}):
            yield item

    async def _stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        no_end = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with self._session.get(path, params=query, timeout=no_end) as answer:
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
        mend = "start it with `deployd serve`, or name its socket with --socket or DEPLOYD_SOCKET"
        if isinstance(cause, PermissionError):
            mend = "only the user who runs the daemon may open its socket: try sudo"
        return DaemonUnreachable(f"no deployd answers at {self._where} ({why})", mend=mend)


@asynccontextmanager
async def open_client(socket: Path) -> AsyncIterator[Client]:
    """The daemon behind a Unix socket."""
    connector = aiohttp.UnixConnector(str(socket))
    limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
    async with aiohttp.ClientSession("http://deployd", connector=connector, timeout=limit) as session:
        yield Client(session, str(socket))


def _environment(project: str, environment: str) -> str:
    return f"/api/v1/projects/{quote(project, safe='')}/environments/{quote(environment, safe='')}"


async def _told(answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
    try:
        told = await answer.json()
    except (aiohttp.ContentTypeError, ValueError):
        return {"what": (await answer.text())[:200] or f"status {answer.status}"}
    return told if isinstance(told, dict) else {}
