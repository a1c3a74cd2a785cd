"""Whether somebody listens in a container's network, and who: read from /proc, without a connection.

A connection would do for TCP on every address, but not for one on 127.0.0.1 of the container, nor for a Unix socket;
and a request would run code that may not be ready to run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

LISTEN_TCP, ESTABLISHED = "0A", "01"
LOCALHOST = "0100007F"
NAME_SERVER = "0B00007F"
"""127.0.0.11, where Docker answers a container's questions for names."""
ACCEPTS = "00010000"
"""Flag of a Unix socket that was listened on (__SO_ACCEPTCON)."""
MOST_CHARACTERS = 4_000_000
"""Some 30,000 sockets."""
MOST_DESCRIPTORS = 4_096
MOST_CHILDREN = 1_000
GENERATIONS = 3


def is_listening(pid: int, wanted: int | str) -> bool:
    """Whether a TCP port or the path of a Unix socket is listened on in the network of a process."""
    net = Path(f"/proc/{pid}/net")
    try:
        if isinstance(wanted, str):
            return wanted in unix_listeners(_read(net / "unix"))
        return any(wanted in tcp_listeners(_read(net / name)) for name in ("tcp", "tcp6"))
    except OSError:
        return False   # the process has ended


def listening_ports(pid: int) -> tuple[int, ...]:
    """TCP ports that are listened on in the network of a process, in order; none when it has ended."""
    net = Path(f"/proc/{pid}/net")
    try:
        return tuple(sorted(set().union(*(tcp_listeners(_read(net / name)) for name in ("tcp", "tcp6")))))
    except OSError:
        return ()


def listens_itself(first: int, inner: int, wanted: int | str) -> bool:
    """Whether a process itself, and no child of it, has a socket open on which is listened; False when unknown.

    Args:
        first: The first process of its container, as the host counts.
        inner: The process, as the container counts.
    """
    net = Path(f"/proc/{first}/net")
    try:
        if isinstance(wanted, str):
            sockets = unix_listeners(_read(net / "unix")).get(wanted, frozenset())
        else:
            tables = [tcp_listeners(_read(net / name)) for name in ("tcp", "tcp6")]
            sockets = frozenset().union(*(table.get(wanted, frozenset()) for table in tables))
        process = _process_inside(first, inner)
        return process is not None and bool(sockets & _sockets_of(process))
    except OSError:
        return False   # something has ended


def _process_inside(first: int, inner: int) -> int | None:
    """The host's number of a process near a container's first one (that is Docker's init) that it knows by another."""
    generation = [first]
    for _ in range(GENERATIONS):
        generation = [child for parent in generation for child in _children(parent)][:MOST_CHILDREN]
        for child in generation:
            status = Path(f"/proc/{child}/status").read_text(errors="replace").splitlines()
            if any(line.startswith("NSpid:") and line.split()[-1] == str(inner) for line in status):
                return child
    return None


def _children(parent: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _sockets_of(pid: int) -> frozenset[str]:
    """Numbers of the sockets that a process has open."""
    found = set()
    with os.scandir(f"/proc/{pid}/fd") as descriptors:
        for item in islice(descriptors, MOST_DESCRIPTORS):
            with suppress(OSError):   # it was closed meanwhile
                found.add(os.readlink(item.path).removeprefix("socket:[").removesuffix("]"))
    return frozenset(found)


def _read(table: Path) -> str:
    """A table of the kernel; no more than anybody needs. Its owner may open sockets by the hundred thousand."""
    with table.open(errors="replace") as file:
        return file.read(MOST_CHARACTERS)


def tcp_listeners(text: str) -> dict[int, frozenset[str]]:
    """{port: numbers of the sockets}, from the text of /proc/net/tcp or tcp6; without that of Docker's name server."""
    found: dict[int, set[str]] = {}
    for row in (line.split() for line in text.splitlines()[1:]):
        if len(row) > 9 and row[3] == LISTEN_TCP:
            address, _, port = row[1].rpartition(":")
            if address != NAME_SERVER:
                found.setdefault(int(port, 16), set()).add(row[9])
    return {port: frozenset(sockets) for port, sockets in found.items()}


def unix_listeners(text: str) -> dict[str, frozenset[str]]:
    """{path: numbers of the sockets}, from the text of /proc/net/unix."""
    found: dict[str, set[str]] = {}
    for row in (line.split() for line in text.splitlines()[1:]):
        if len(row) > 7 and row[3] == ACCEPTS:
            found.setdefault(row[7], set()).add(row[6])
    return {path: frozenset(sockets) for path, sockets in found.items()}


def connections_to(pid: int, port: int, path: str) -> int:
    """How many connections lead to a port of 127.0.0.1, or to a Unix socket, in the network of a process."""
    net = Path(f"/proc/{pid}/net")
    try:
        return tcp_connections(_read(net / "tcp"), port) + unix_connections(_read(net / "unix"), path)
    except OSError:
        return 0   # the process has ended


def tcp_connections(text: str, port: int) -> int:
    """Established ones to a port of 127.0.0.1, seen from who opened them; from the text of /proc/net/tcp."""
    wanted = f"{LOCALHOST}:{port:04X}"
    rows = (line.split() for line in text.splitlines()[1:])
    return sum(len(row) > 3 and row[2] == wanted and row[3] == ESTABLISHED for row in rows)


def unix_connections(text: str, path: str) -> int:
    """Those that were accepted, or wait for that; from the text of /proc/net/unix."""
    rows = (line.split() for line in text.splitlines()[1:])
    return sum(len(row) > 7 and row[7] == path and row[3] != ACCEPTS for row in rows)
