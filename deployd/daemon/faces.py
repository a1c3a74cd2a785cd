"""Where the daemon is spoken to: the public port and its own socket."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from aiohttp import web

from deployd.api.shapes import Caller
from deployd.daemon.connections import BoundedRunner, Connections
from deployd.errors import DeployError
from deployd.intake.tokens import find_token
from deployd.settings import Settings
from deployd.systemd import is_passed_a_socket, passed_socket

STOP_SECONDS = 5.0
LINGERING_SECONDS = 2.0
"""How long the body of a request is still read that was answered without it."""


class AddressTaken(DeployError):
    """The address of the HTTP face is in use."""

    code: ClassVar[str] = "address-taken"


async def open_faces(
    stack: AsyncExitStack, settings: Settings, public: web.Application, local: web.Application,
) -> None:
    """The Unix socket first: whoever sees the public port can already be answered by the receive hooks."""
    settings.api_socket.unlink(missing_ok=True)
    for app in (local, public):
        more: dict[str, Any] = {"shutdown_timeout": STOP_SECONDS, "access_log": None}
        runner = web.AppRunner(app, **more) if app is local else BoundedRunner(
            app, Connections(), lingering_time=LINGERING_SECONDS, **more,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        if app is local:
            await web.UnixSite(runner, str(settings.api_socket)).start()
            await asyncio.to_thread(os.chmod, settings.api_socket, 0o600)
            continue
        try:
            passed = passed_socket()
            site = web.SockSite(runner, passed) if passed else web.TCPSite(runner, *settings.listen_address)
            await site.start()
        except OSError as error:
            raise _address_taken(settings, error) from None


def find_caller(settings: Settings, authorization: str | None) -> Caller | None:
    """Whose token a request brings; None: nobody's."""
    token = find_token(settings.tokens, authorization)
    return Caller(token.name, token.role, token.projects) if token else None


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


def _address_taken(settings: Settings, error: OSError) -> AddressTaken:
    why = "another program has the port" if error.errno == errno.EADDRINUSE else error.strerror
    return AddressTaken(
        f"cannot listen on {settings.listen}: {why}", where="listen",
        mend="stop the program that has the port, or choose another with `listen`",
    )
