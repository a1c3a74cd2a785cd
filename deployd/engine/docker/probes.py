"""The kernel of this host, asked about processes of containers: `/proc` is read beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from deployd.engine.docker import alive, listening


class Probes:
    async def is_alive(self, pid: int) -> bool:
        return await asyncio.to_thread(alive.is_alive, pid)

    async def is_listening(self, pid: int, wanted: int | str) -> bool:
        return await asyncio.to_thread(listening.is_listening, pid, wanted)

    async def listening_ports(self, pid: int) -> tuple[int, ...]:
        return await asyncio.to_thread(listening.listening_ports, pid)

    async def listens_itself(self, first: int, inner: int, wanted: int | str) -> bool:
        return await asyncio.to_thread(listening.listens_itself, first, inner, wanted)

    async def connections_to(self, pids: Collection[int], port: int, path: str) -> int:
        return await asyncio.to_thread(lambda: sum(listening.connections_to(pid, port, path) for pid in pids))
