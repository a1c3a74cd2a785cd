"""Sockets that are handed over the link: a pair for each session, one end for each process."""

from __future__ import annotations

import socket


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """(ours, theirs), connected."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
