"""The Docker Engine of this machine, and the end of one that scripts/setup.sh had to start."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp

SOCKET = "/var/run/docker.sock"
END_SECONDS = 30


async def engine_answers() -> bool:
    try:
        async with _session() as session, session.get("http://docker/_ping") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def end_engine(note: Path) -> str | None:
    """End the Engine whose process id is in `note`, if nobody else uses it now. Returns what was done, in words."""
    try:
        pid = int(note.read_text())
        ours = Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
    except (OSError, ValueError):
        ours = False
    if not ours:
        note.unlink(missing_ok=True)
        return None
    async with _session() as session, session.get("http://docker/containers/json") as answer:
        others = len(await answer.json())
    if others:
        return f"the Docker Engine that the set-up started goes on: {others} other containers run on it"
    os.kill(pid, signal.SIGTERM)
    for _ in range(END_SECONDS * 10):
        if not Path(f"/proc/{pid}").exists():
            note.unlink()
            return "ended the Docker Engine that the set-up had started; its images stay for the next time"
        await asyncio.sleep(0.1)
    return f"the Docker Engine that the set-up started (process {pid}) has not ended after {END_SECONDS} s"


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(SOCKET))
