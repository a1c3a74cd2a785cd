"""Whether somebody listens in a container's network, without a connection: read from /proc/<pid>/net.

A connection would do for TCP on every address, but not for one on 127.0.0.1 of the container, nor for a Unix socket;
and a request would run code that may not be ready to run.
"""

from __future__ import annotations

from pathlib import Path

LISTEN_TCP, ESTABLISHED = "0A", "01"
LOCALHOST = "0100007F"
NAME_SERVER = "0B00007F"
"""127.0.0.11, where Docker answers a container's questions for names."""
ACCEPTS = "00010000"
"""Flag of a Unix socket that was listened on (__SO_ACCEPTCON)."""
MOST_CHARACTERS = 4_000_000
"""Some 30,000 sockets."""


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


def _read(table: Path) -> str:
    """A table of the kernel; no more than anybody needs. Its owner may open sockets by the hundred thousand."""
    with table.open(errors="replace") as file:
        return file.read(MOST_CHARACTERS)


def tcp_listeners(text: str) -> set[int]:
    """Ports, from the text of /proc/net/tcp or tcp6; without that of Docker's name server."""
    rows = (line.split() for line in text.splitlines()[1:])
    listened = (row[1].rpartition(":") for row in rows if len(row) > 3 and row[3] == LISTEN_TCP)
    return {int(port, 16) for address, _, port in listened if address != NAME_SERVER}


def unix_listeners(text: str) -> set[str]:
    """Paths, from the text of /proc/net/unix."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[7] for row in rows if len(row) > 7 and row[3] == ACCEPTS}


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
