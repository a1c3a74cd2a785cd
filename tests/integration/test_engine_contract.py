"""Docker keeps what every engine promises. Everything made here carries a label of its own and is gone afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.engine.docker.engine import Engine
from deployd.process import run
from tests.support import engine_contract as contract


class TestDocker(contract.EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        async with Engine() as found:
            if await found.image(contract.IMAGE) is None:
                await run("sh", "-c", "mmdebstrap --variant=minbase --include=ca-certificates trixie - "
                          f"| docker import - {contract.IMAGE}", limit_seconds=300)
            yield found

    @pytest.fixture
    async def away(self, tmp_path: Path) -> AsyncIterator[Engine]:
        """One that said its version, and was never heard of again."""
        said = json.dumps({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n{said}".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(answer, tmp_path / "docker.sock")
        async with Engine(tmp_path / "docker.sock") as found:
            server.close()
            await server.wait_closed()
            (tmp_path / "docker.sock").unlink(missing_ok=True)
            yield found
