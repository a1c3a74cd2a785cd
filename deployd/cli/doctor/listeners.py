"""Which process listens on a TCP port, as /proc tells it. Of processes of other users only root is told."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = "0A"
CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that has a listening socket open."""

    pid: int
    name: str
    groups: str
    """Its control groups; a container's id is in them."""


def listeners(port: int) -> tuple[Listener, ...]:
    """Processes that listen on a port of any address, by their numbers."""
    inodes = {inode for table in TABLES if table.exists() for inode in parse_listening(table.read_text(), port)}
    return tuple(sorted(_owners(inodes), key=lambda item: item.pid)) if inodes else ()


def parse_listening(text: str, port: int) -> frozenset[str]:
    """Inodes of the sockets that listen on a port, from the text of /proc/net/tcp."""
    found = set()
    for line in text.splitlines()[1:]:
        _, local, _, state, *rest = line.split()
        if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
            found.add(rest[5])
    return frozenset(found)


def server_of(path: Path) -> int | None:
    """The process that listens at a Unix socket; None when nobody does, or we may not ask."""
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(str(path))
            data = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        except OSError:
            return None
    pid: int = CREDENTIALS.unpack(data)[0]
    return pid


def _owners(inodes: set[str]) -> Iterator[Listener]:
    links = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and _has_open(process, links):
            with suppress(OSError):   # it has ended since
                name, groups = (process / "comm").read_text().strip(), (process / "cgroup").read_text()
                yield Listener(int(process.name), name, groups)


def _has_open(process: Path, links: set[str]) -> bool:
    try:
        descriptors = os.listdir(process / "fd")
    except OSError:
        return False
    for descriptor in descriptors:
        with suppress(OSError):
            if os.readlink(process / "fd" / descriptor) in links:
                return True
    return False
