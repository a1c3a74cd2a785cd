"""The open line to one Docker Engine: found, its version agreed on, closed again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

import aiodocker
import aiohttp

from deployd.engine.docker.edge import UNREACHABLE, ask, translated
from deployd.engine.errors import EngineTooOld

SOCKET = Path("/var/run/docker.sock")
OLDEST_API, NEWEST_API = (1, 41), (1, 47)
"""Docker 20.10 has 1.41; 1.47 is the newest whose answers this code has been read against."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    version: str
    api_version: str
    """The one that is spoken with it, not the newest it knows."""
    storage_driver: str
    cpus: int
    memory_bytes: int
    cgroups: str = "1"
    """Version of the control groups: `1` or `2`."""
    limits_memory: bool = True
    folder: str = "/var/lib/docker"
    """Where it keeps images and volumes."""


class Connection:
    """Enter it to connect. Everything that talks to the Engine stands on this."""

    def __init__(self, path: Path | str = SOCKET) -> None:
        """
        Args:
            path: Docker's socket.
        """
        self.path = Path(path)
        self._open: aiodocker.Docker | None = None
        self._connector: aiohttp.UnixConnector | None = None
        self._folder: Path | None = None
        """Docker's own, when it was asked for."""
        self._creating_networks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def docker(self) -> aiodocker.Docker:
        """The library's own client, for what images need."""
        assert self._open is not None, "the Engine is used before it is entered"
        return self._open

    @property
    def api_version(self) -> str:
        """`1.41`, agreed on."""
        return str(self.docker.api_version).removeprefix("v")

    async def __aenter__(self) -> Self:
        # No limit of connections: each log that is followed and each container that is waited for keeps one.
        self._connector = aiohttp.UnixConnector(str(self.path), limit=0)
        self._open = aiodocker.Docker("unix://localhost", connector=self._connector)
        try:
            self._open.api_version = f"v{await self._agree()}"
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def version(self) -> str:
        """`20.10.24`; asking for it costs Docker next to nothing, unlike `about`."""
        return str((await ask("look at Docker", _version(self.docker)))["Version"])

    async def about(self) -> EngineInfo:
        """What kind of Engine this is, and what it has."""
        info = await ask("look at Docker", self.docker.system.info())
        return EngineInfo(
            str(info["ServerVersion"]), self.api_version, str(info["Driver"]), int(info["NCPU"]), int(info["MemTotal"]),
            str(info.get("CgroupVersion", "1")), bool(info.get("MemoryLimit", True)), str(info["DockerRootDir"]),
        )

    async def folder(self) -> Path:
        """Where it keeps everything; asked of it once."""
        if self._folder is None:
            self._folder = Path((await self.about()).folder)
        return self._folder

    async def _stream(self, what: str, path: str, params: Mapping[str, str]) -> aiohttp.ClientResponse:
        """An answer that goes on; the caller closes it."""
        url = f"{self.docker.docker_host}/{self.docker.api_version}/{path}"
        response = await ask(what, self.docker.session.get(url, params=params))
        if response.status >= 400:
            with closing(response):
                message = str((await ask(what, response.json())).get("message", ""))
            raise translated(what, response.status, message)
        return response

    async def _get(self, what: str, path: str, params: Mapping[str, str]) -> Any:
        """A whole answer, for what the library would make objects of that know less."""
        async with await self._stream(what, path, params) as response:
            return await ask(what, response.json())

    async def _agree(self) -> str:
        """The newest version that both sides know."""
        docker = self.docker
        answer: dict[str, Any] = await ask("connect to Docker", _version(docker))
        newest, oldest = _numbers(answer["ApiVersion"]), _numbers(answer.get("MinAPIVersion", "1.0"))
        agreed = min(newest, NEWEST_API)
        if agreed < max(OLDEST_API, oldest):
            raise EngineTooOld(
                f"cannot work with Docker {answer['Version']}: it speaks API {answer.get('MinAPIVersion')} to "
                f"{answer['ApiVersion']}, deployd {_text(OLDEST_API)} to {_text(NEWEST_API)}",
                hint="install Docker Engine 20.10 or newer" if newest < OLDEST_API else "install a newer deployd",
            )
        return _text(agreed)

    async def _close(self) -> None:
        if self._open is not None:
            await self._open.close()
        if self._connector is not None:
            await self._connector.close()
        self._open = self._connector = None


async def _version(docker: aiodocker.Docker) -> dict[str, Any]:
    async with docker.session.get(f"{docker.docker_host}/version") as response:
        if response.status != 200:
            raise aiodocker.DockerError(UNREACHABLE, f"status {response.status}")
        answer: dict[str, Any] = await response.json()
        return answer


def _numbers(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _text(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"
