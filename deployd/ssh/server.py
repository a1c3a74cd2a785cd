"""One connection over SSH: who it is, decided when authentication has completed, and the sessions on it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

import asyncssh

from deployd.ssh.bounds import Bounds, Connections, counted_as
from deployd.ssh.dispatch import Dispatch
from deployd.ssh.link import LinkLost
from deployd.ssh.names import read_user
from deployd.ssh.ports import Daemon, Refused, Who
from deployd.ssh.quick_ack import QuickAck
from deployd.ssh.session import Session, SessionChannel
from deployd.ssh.tunnel import TunnelSession

MOST_OFFERS = 20
"""Keys that a client may offer: people's agents have many, and an offer is no guess."""
TOO_MANY_KEYS = "too many keys were offered: name the one to use (IdentitiesOnly yes)"
RESTART_SECONDS = 12.0
"""How long a connection waits for a daemon that is being restarted; the login's own limit is longer."""
RESTARTS = "deployd is being restarted: it takes a moment\n"


@dataclass(slots=True)
class Door:
    """What all connections share."""

    daemon: Daemon
    dispatch: Dispatch
    connections: Connections = field(default_factory=lambda: Connections(Bounds()))
    servers: set[Server] = field(default_factory=set)
    """Of connections that have authenticated."""
    failed: dict[str, int] = field(default_factory=dict)
    """{address: connections that ended without authentication}, until the daemon is told."""


class Server(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._offers = 0
        self._key = b""
        """The one that was looked at last. asyncssh asks for offers as for signatures, and looks at one at a time: when
        it says that authentication has completed, this is the one that signed."""
        self._who: asyncio.Future[Who] = asyncio.get_running_loop().create_future()
        self._user = ""
        self._tunnels: set[TunnelSession] = set()
        self._connection: asyncssh.SSHServerConnection | None = None
        self._quick: QuickAck | None = None
        self.address = ""
        self.used = time.monotonic()
        """When anything last came or went in a session."""

    @property
    def who(self) -> Who | None:
        """None: nobody yet."""
        return self._who.result() if self._who.done() and not self._who.cancelled() else None

    @property
    def sessions(self) -> int:
        return self._door.connections.sessions_of(self)

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._quick = QuickAck(conn.get_extra_info("socket"))
        peer = conn.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "unknown"
        if not self._door.connections.opened(self, counted_as(self.address), conn.abort):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._quick is not None:
            self._quick.stop()
        self._door.connections.closed(self)
        self._door.servers.discard(self)
        for tunnel in list(self._tunnels):
            tunnel.end()
        if not self._who.done():
            self._who.cancel()
            failed = self._door.failed
            if self._offers and (self.address in failed or len(failed) < 1_000):
                failed[self.address] = failed.get(self.address, 0) + 1

    def begin_auth(self, username: str) -> bool:
        self._user = username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether a key is known; offered or signed with."""
        self._offers += 1
        self._key = key.public_data
        if self._offers > MOST_OFFERS and self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, TOO_MANY_KEYS)
            return False
        try:
            return await self._is_known(key.public_data)
        except LinkLost:
            if self._connection is not None:
                self._connection.send_auth_banner(RESTARTS)
        try:
            return await self._door.daemon.until_there(RESTART_SECONDS) and await self._is_known(key.public_data)
        except LinkLost:
            return False

    async def _is_known(self, key: bytes) -> bool:
        talk = await self._door.daemon.ask("key", key=key.hex())
        talk.leave()
        return talk.answer.get("known") is True

    async def auth_completed(self) -> None:
        """The identity is decided here, and nowhere else."""
        if self._quick is not None:
            self._quick.stop()
        key = self._key
        refusal = self._door.connections.authenticated(self, key)
        connection = self._connection
        assert connection is not None
        try:
            if refusal:
                raise Refused(refusal, hint="end some of them")
            talk = await self._door.daemon.ask("who", key=key.hex(), address=self.address)
            talk.leave()
        except (Refused, LinkLost) as error:
            connection.disconnect(asyncssh.DISC_BY_APPLICATION, f"deployd: {error}"[:200])
            return
        if not self._who.done():
            self._who.set_result(Who(key, self.address, str(talk.answer.get("name", "")), secrets.token_hex(8)))
            self._door.servers.add(self)
            self.touch()

    def session_requested(self) -> tuple[SessionChannel, Session]:
        self._take()
        connection = self._connection
        assert connection is not None
        return SessionChannel(connection, self.touch), Session(self._serve, self.touch, self._leave)

    async def _serve(self, session: Session) -> None:
        who = await asyncio.shield(self._who)
        await self._door.dispatch.serve(who, self._user, session)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int,
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        self._take()
        return self._tunnel(dest_host, dest_port)

    async def _tunnel(self, host: str, port: int) -> TunnelSession:
        """
        Raises:
            ChannelOpenError: It leads nowhere; the client shows why.
        """
        tunnel = TunnelSession(self.touch, self._end_tunnel)
        self._tunnels.add(tunnel)
        try:
            await tunnel.over(await self._connected(host, port))
        except (Refused, LinkLost) as error:
            said = "; ".join(error.lines()) if isinstance(error, Refused) else "deployd is being restarted"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, said[:300]) from None
        finally:
            if not tunnel.is_open:
                tunnel.end()
        return tunnel

    def _end_tunnel(self, tunnel: TunnelSession) -> None:
        self._tunnels.discard(tunnel)
        self._leave()

    async def _connected(self, host: str, port: int) -> socket.socket:
        who = await asyncio.shield(self._who)
        target = read_user(self._user)
        if target is None:
            raise Refused("`git` has no tunnels", hint="the user name is an environment: ssh -L … main.shop@…")
        return await self._door.dispatch.environments.tunnel(who, target, host, port)

    def _take(self) -> None:
        """
        Raises:
            ChannelOpenError: The connection, or the key, has all the sessions that it may.
        """
        refusal = self._door.connections.take_session(self)
        if refusal:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, refusal)

    def _leave(self) -> None:
        self._door.connections.leave_session(self)
        self.touch()

    def touch(self) -> None:
        self.used = time.monotonic()

    def disconnect(self, why: str) -> None:
        """End the connection, and say why."""
        if self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, why)

