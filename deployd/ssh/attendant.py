"""What is done for all connections from time to time: keys that were taken away, silence, a report."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from deployd.ssh.link import LinkLost
from deployd.ssh.ports import Daemon, Refused
from deployd.ssh.server import Door, Server

log = structlog.get_logger()

LOOK_SECONDS = 2.0
MOST_KEYS, MOST_LETTERS = 50, 50_000
"""In one message, which has a largest size: people choose how long their keys are."""
REMOVED = "your key was removed, or its owner has left"
WITHOUT_SESSION_SECONDS = 120.0
"""How long a connection may be open on which nothing is."""


@dataclass(slots=True)
class Attendant:
    daemon: Daemon
    door: Door
    idle_seconds: float = 3600.0
    trouble: str = ""
    """Why nobody is listened for, for the daemon."""

    async def serve(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.end_idle(time.monotonic())
            try:
                await self.look()
            except (LinkLost, Refused):
                pass
            except Exception:   # ours; connections go on
                log.exception("ssh_look_failed")

    def end_idle(self, now: float) -> None:
        """End connections on which nothing moves."""
        for server in list(self.door.servers):
            silent = now - server.used
            if server.sessions == 0 and silent >= WITHOUT_SESSION_SECONDS:
                server.disconnect("deployd: nothing is done on this connection")
            elif silent >= self.idle_seconds:
                server.disconnect(f"deployd: nothing moved for {self.idle_seconds / 60:.0f} minutes")

    async def look(self) -> None:
        """Tell the daemon what there is, and end what it knows no longer.

        Raises:
            LinkLost, Refused: It cannot be told now.
        """
        by_key: dict[str, list[Server]] = {}
        for server in self.door.servers:
            if server.who is not None:
                by_key.setdefault(server.who.key.hex(), []).append(server)
        failed, self.door.failed = self.door.failed, {}
        first, *more = in_parts(list(by_key))
        gone = await self._tell(first, dict(list(failed.items())[:500]))
        for part in more:
            gone += await self._tell(part, {})
        for key in gone:
            for server in by_key.get(key, ()):
                server.disconnect(f"deployd: {REMOVED}")

    async def _tell(self, keys: list[str], failed: dict[str, int]) -> list[str]:
        """Keys among them that are known no longer."""
        connections = self.door.connections
        talk = await self.daemon.ask(
            "look", keys=keys, failed=failed, connections=connections.known, handshakes=connections.shaking,
            sessions=connections.sessions, evicted=connections.evicted,
            trouble=self.trouble,
        )
        talk.leave()
        gone = talk.answer.get("gone")
        return [str(key) for key in gone] if isinstance(gone, list) else []


def in_parts(keys: list[str]) -> list[list[str]]:
    """Keys as they go into messages; at least one part."""
    parts: list[list[str]] = [[]]
    for key in keys:
        if parts[-1] and (len(parts[-1]) >= MOST_KEYS or sum(map(len, parts[-1])) + len(key) > MOST_LETTERS):
            parts.append([])
        parts[-1].append(key)
    return parts
