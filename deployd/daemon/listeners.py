"""Where the daemon listens: the public port and its own Unix socket.

Both outlive a reload: they go on listening, and so do connections. What changes is who answers (`request_gate.py`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from deployd.access.cookies import cookie_of
from deployd.access.tokens import find_caller
from deployd.api.applications import LARGEST_BODY_BYTES
from deployd.daemon.connections import BoundedRunner, Connections, heads_counted
from deployd.daemon.request_gate import RequestGate
from deployd.errors import DeployError
from deployd.settings import Settings
from deployd.systemd import is_passed_a_socket, passed_socket

STOP_SECONDS = 5.0
RELOAD_SECONDS = 3.0
"""How long a request may go on when the daemon reads its settings again: forges wait ten seconds for an answer."""
LINGERING_SECONDS = 2.0
"""How long the body of a request is still read that was answered without it."""


class AddressTaken(DeployError):
    """The address of the HTTP face is in use."""

    code: ClassVar[str] = "address-taken"


class Listeners:
    """The daemon's two listening sockets."""

    def __init__(self) -> None:
        self._public, self._local = RequestGate(), RequestGate()
        self._runners: dict[str, web.BaseRunner] = {}
        self._sites: dict[str, tuple[object, web.BaseSite]] = {}
        """{name: (where it listens, its socket)}"""
        self._settings: Settings | None = None

    def listens_on(self, settings: Settings) -> bool:
        """Whether the public port of these settings is ours already; one that systemd passed is for all settings."""
        where = self._sites.get("public", (None,))[0]
        return where is not None and (is_passed_a_socket() or where == settings.listen_address)

    async def open(
        self, stack: AsyncExitStack, settings: Settings, public: web.Application, local: web.Application,
    ) -> None:
        """Answer with these applications from now on. The Unix socket first: whoever sees the public port can already
        be answered by the receive hooks.

        Raises:
            AddressTaken: The public port cannot be had.
        """
        if not self._runners:
            await self._set_up()
        handlers = []
        for app in (local, public):
            runner = web.AppRunner(app, access_log=None)   # without a socket of its own
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            assert runner.server is not None
            handlers.append(runner.server.request_handler)
        before, self._settings = self._settings, settings
        self._local.open(handlers[0], lambda _: True)
        await self._listen_locally(settings.api_socket)
        self._public.open(handlers[1], lambda request: _is_still_let_in(request, before, settings))
        try:
            await self._listen(settings)
        except OSError as error:
            raise _address_taken(settings, error) from None

    async def hold(self) -> None:
        """Let requests wait for the next `open`; those that do not last end before."""
        async with asyncio.TaskGroup() as group:
            for name, gate in (("public", self._public), ("local", self._local)):
                group.create_task(gate.close(RELOAD_SECONDS), name=f"closing the {name} gate")

    async def close(self) -> None:
        """Listen no more; requests have a few seconds to end. May be called again."""
        for runner in reversed(self._runners.values()):
            await runner.cleanup()
        self._runners, self._sites = {}, {}

    async def _set_up(self) -> None:
        more: dict[str, Any] = {"access_log": None}
        answer_locally: Any = self._local.handle   # aiohttp's types know no requests of applications here
        answer: Any = self._answer
        local = web.Server(answer_locally, request_factory=_request, **more)
        public = web.Server(answer, request_factory=_request, lingering_time=LINGERING_SECONDS, **more)
        self._runners = {
            "local": web.ServerRunner(local, shutdown_timeout=STOP_SECONDS),
            "public": BoundedRunner(public, Connections(), shutdown_timeout=STOP_SECONDS),
        }
        for runner in self._runners.values():
            await runner.setup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return await heads_counted(request, self._public.handle)

    async def _listen_locally(self, path: Path) -> None:
        if self._sites.get("local", (None,))[0] == path:
            return
        await asyncio.to_thread(path.unlink, missing_ok=True)
        site = web.UnixSite(self._runners["local"], str(path))
        await site.start()
        await asyncio.to_thread(os.chmod, path, 0o600)
        await self._replace("local", path, site)

    async def _listen(self, settings: Settings) -> None:
        if self.listens_on(settings):
            return
        runner, passed = self._runners["public"], passed_socket()
        site = web.SockSite(runner, passed) if passed else web.TCPSite(runner, *settings.listen_address)
        await site.start()
        await self._replace("public", settings.listen_address, site)

    async def _replace(self, name: str, where: object, site: web.BaseSite) -> None:
        """The earlier socket goes when the new one is there; its connections go on."""
        _, earlier = self._sites.get(name, (None, None))
        self._sites[name] = (where, site)
        if earlier is not None:
            await earlier.stop()


def refuse_taken_port(settings: Settings) -> None:
    """
    Raises:
        AddressTaken: The address of the HTTP face is in use, or not of this host.
    """
    if is_passed_a_socket():
        return
    host, port = settings.listen_address
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        raise _address_taken(settings, error) from None


def _is_still_let_in(request: web.Request, before: Settings | None, now: Settings) -> bool:
    """Whether whoever is answered since before the settings were read may the same as then."""
    shown = request.headers.get("Authorization")
    if before is not None and shown is None and cookie_of(request.cookies):
        return before.tokens == now.tokens   # a browser comes back by itself
    return before is None or find_caller(before, shown) == find_caller(now, shown)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.Request:
    """As an application makes it."""
    return web.Request(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=LARGEST_BODY_BYTES,
    )


def _address_taken(settings: Settings, error: OSError) -> AddressTaken:
    why = "another program has the port" if error.errno == errno.EADDRINUSE else error.strerror
    return AddressTaken(
        f"cannot listen on {settings.listen}: {why}", where="listen",
        hint="stop the program that has the port, or choose another with `listen`",
    )
