"""Starting a command over a connection that is its streams from then on. The library can do neither half of that."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import aiodocker

HEAD_END = b"\r\n\r\n"
LARGEST_HEAD_BYTES = 65_536
LOOK_SECONDS = 0.002


def start_request(api_version: str, number: str, *, tty: bool) -> bytes:
    """What Docker is sent to start a command that was made before."""
    body = json.dumps({"Detach": False, "Tty": tty})
    return (
        f"POST /v{api_version}/exec/{number}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
        f"Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def start_exec(path: Path, api_version: str, number: str, *, tty: bool) -> socket.socket:
    """Start a command. The socket is its streams, and nothing else: Docker reads no request from it any more.

    Raises:
        DockerError: Docker refused.
        OSError: Nobody answers.
    """
    loop = asyncio.get_running_loop()
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        await loop.sock_connect(channel, str(path))
        await loop.sock_sendall(channel, start_request(api_version, number, tty=tty))
        head = await _read_head(channel)
        status = int(head.split(None, 2)[1])
        if status >= 300:
            said = await loop.sock_recv(channel, LARGEST_HEAD_BYTES)
            raise aiodocker.DockerError(status, said.decode(errors="replace"))
    except BaseException:
        channel.close()
        raise
    return channel


async def _read_head(channel: socket.socket) -> bytes:
    """To the byte: what comes after it is output already, and somebody else's to read."""
    while True:
        await _until_readable(channel)
        seen = channel.recv(LARGEST_HEAD_BYTES, socket.MSG_PEEK)
        end = seen.find(HEAD_END)
        if end >= 0:
            return channel.recv(end + len(HEAD_END))
        if not seen or len(seen) == LARGEST_HEAD_BYTES:
            raise ConnectionError("its answer broke off")
        await asyncio.sleep(LOOK_SECONDS)   # what was peeked at stays readable


async def _until_readable(channel: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(channel.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(channel.fileno())
