"""SSH: where it is listened for, by which key people recognise the server, and how much goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deployd.settings import Settings
from deployd.ssh.host_key import ensure_host_key
from deployd.ssh.places import HOST_KEYS
from deployd.ssh.seen import SshSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKeyShape:
    """A key by which the server is recognised."""

    type: str
    fingerprint: str
    """As `ssh` shows it when it asks whether to go on."""
    known_hosts: str
    """The line for `known_hosts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshShape:
    """How SSH is."""

    host: str
    """As people reach it; empty: nobody listens for SSH."""
    port: int
    state: str
    """`off` (the settings want nobody to listen), `listening`, or `down`."""
    why: str
    """Of `down`."""
    keys: tuple[SshKeyShape, ...]
    connections: int
    """That have authenticated."""
    sessions: int
    handshakes: int
    """Connections that have not authenticated yet."""
    evicted: int
    """Of those, that had to make room for others."""


class SshQueries:
    def __init__(self, settings: Settings, seen: SshSeen, troubles: Callable[[], Sequence[str]]) -> None:
        self._settings = settings
        self._seen = seen
        self._troubles = troubles

    async def now(self, *, whole: bool) -> SshShape:
        """
        Args:
            whole: With what is of no project: how much goes on, and why nobody listens.

        Raises:
            HostKeyUnusable: There should be a key, and none can be read.
        """
        where, seen = self._settings.ssh_reached_at, self._seen if whole else SshSeen()
        if where is None:
            return SshShape(host="", port=0, state="off", why="", keys=(), connections=0, sessions=0, handshakes=0,
                            evicted=0)
        troubles = self._troubles()
        is_up = not troubles and self._seen.at is not None
        return SshShape(
            host=where[0], port=where[1], state="listening" if is_up else "down",
            why="; ".join(troubles) if whole else "", keys=(await self._key(*where),), connections=seen.connections,
            sessions=seen.sessions, handshakes=seen.handshakes, evicted=seen.evicted,
        )

    async def _key(self, host: str, port: int) -> SshKeyShape:
        key = await asyncio.to_thread(ensure_host_key, self._settings.state / HOST_KEYS)
        name = host if port == 22 else f"[{host}]:{port}"
        return SshKeyShape(type=key.kind, fingerprint=key.fingerprint, known_hosts=f"{name} {key.public}")
