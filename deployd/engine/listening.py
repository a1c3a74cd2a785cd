"""Whether somebody listens in a container's network, without a connection: read from /proc/<pid>/net.

A connection would do for TCP on every address, but not for one on 127.0.0.1 of the container, nor for a Unix socket;
and a request would run code that may not be ready to run.
"""

from __future__ import annotations

from pathlib import Path

LISTEN_TCP = "0A"
ACCEPTS = "00010000"
"""Flag of a Unix socket that was listened on (__SO_ACCEPTCON)."""


def is_listening(pid: int, wanted: int | str) -> bool:
    """Whether a TCP port or the path of a Unix socket is listened on in the network of a process."""
    net = Path(f"/proc/{pid}/net")
    try:
        if isinstance(wanted, str):
            return wanted in unix_listeners((net / "unix").read_text())
        return any(wanted in tcp_listeners((net / name).read_text()) for name in ("tcp", "tcp6"))
    except OSError:
        return False   # the process has ended


def tcp_listeners(text: str) -> set[int]:
    """Ports, from the text of /proc/net/tcp or tcp6."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == LISTEN_TCP}


def unix_listeners(text: str) -> set[str]:
    """Paths, from the text of /proc/net/unix."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[7] for row in rows if len(row) > 7 and row[3] == ACCEPTS}
