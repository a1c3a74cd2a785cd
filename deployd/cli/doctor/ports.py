"""Whether the daemon and the router can have their ports, or have them already."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence

from deployd.cli.doctor.finding import Finding, doubt, well, wrong
from deployd.cli.doctor.listeners import Listener, listeners, server_of
from deployd.settings import Settings


def look_at_ports(settings: Settings, router_id: str | None) -> list[Finding]:
    """
    Args:
        router_id: Of the router's container, when there is one.
    """
    host, port = settings.listen_address
    daemon = server_of(settings.api_socket)
    # With deployd.socket it is systemd who listens, and passes the socket on.
    found = [look(host, port, "listen", lambda item: item.pid == daemon or item.name == "systemd", "our daemon")]
    for key, number in (("http_port", settings.router.http_port), ("https_port", settings.router.https_port)):
        if number is not None:
            found.append(look(settings.router.address, number, f"router.{key}",
                              lambda item: bool(router_id and router_id in item.groups), "our router"))
    return found


def look(host: str, port: int, key: str, ours: Callable[[Listener], bool], who: str) -> Finding:
    """Whether a port can be had, or is had by one of ours."""
    name = f"port {port}"
    problem = try_port(host, port)
    if problem is None:
        return well(name, f"free ({key})")
    if problem == errno.EADDRINUSE:
        holders = listeners(port)
        return well(name, f"{who} has it ({key})") if any(map(ours, holders)) else taken(name, key, holders)
    if problem == errno.EADDRNOTAVAIL:
        return wrong(name, f"{host} is not an address of this host ({key})", f"correct `{key.partition('.')[0]}`")
    if problem == errno.EACCES:
        return doubt(name, f"not tried: ports below 1024 need root ({key})", "run the doctor as root")
    return wrong(name, f"cannot listen on {host}:{port}: {errno.errorcode.get(problem, problem)} ({key})",
                 f"correct `{key}`")


def taken(name: str, key: str, holders: Sequence[Listener]) -> Finding:
    """A port that another program has. Pure."""
    who = ", ".join(f"{item.name} (process {item.pid})" for item in holders[:3])
    return wrong(name, f"{who or 'another program'} has it ({key})",
                 f"stop that program, or choose another port with `{key}`")


def try_port(host: str, port: int) -> int | None:
    """Number of the error that a server would get there; None: it could listen."""
    address = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except socket.gaierror:
            return errno.EADDRNOTAVAIL
        except OSError as error:
            return error.errno
    return None
