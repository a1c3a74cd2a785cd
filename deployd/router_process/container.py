"""The router's container: what it is.

A layering sin: the engine's values are used here although it is a neighbour, because a container of ours is a
`ContainerSpec` whoever describes it. How it comes to run stands in `hand_over.py`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from deployd.engine.names import instance_labels, with_digest
from deployd.engine.specs import Bind, ContainerSpec, HostNetwork
from deployd.router.paths import RouterPlaces
from deployd.units import MEGABYTE

START = (
    'ulimit -n "$(ulimit -Hn)"; rm -f "$1" "$2"/* "$3"; nginx -t -q -c "$4/nginx.conf" || exit 1; '
    'exec luajit "$4/lua/take_over.lua" "$5" "$3" nginx -c "$4/nginx.conf" -g "daemon off;"'
)
"""Sockets that a killed nginx left would keep the next one from starting; and thousands of clients need files. The
configuration is tested before anything is taken over."""
CAPABILITIES = ("CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
"""nginx's master gives folders to its workers, makes them another user, signals them, and binds ports below 1024."""

STOP_SECONDS = 30
MEMORY_MB = 2048
"""What visitors make it need is not taken from the whole host; a worker over it is begun anew by nginx."""


def router_name(instance: str) -> str:
    return f"{instance}-router"


def earlier_name(instance: str) -> str:
    """The router that another one has taken over from, while it ends what it has."""
    return f"{instance}-router-earlier"


def router_container(
    instance: str, image: str, image_id: str, places: RouterPlaces, certificates: Path | None = None,
    memory_mb: int = MEMORY_MB,
) -> ContainerSpec:
    """The container of the router: the host's network, its own folder of the run folder, and little else.

    Args:
        image_id: What `image` is now; another one than that of a running router is a reason to take over from it.
        places: Of the seat that it shall have.
        certificates: Folder of certificates and keys, seen read-only.
        memory_mb: What it may take; files in memory (cache, access log) count.
    """
    binds = [Bind(str(places.folder), str(places.folder))]
    if certificates is not None:
        binds.append(Bind(str(certificates), str(certificates), read_only=True))
    made_of = "\0".join((image_id, START, *CAPABILITIES, *(bind.source for bind in binds), str(memory_mb)))
    return ContainerSpec(
        name=router_name(instance),
        image=image,
        labels=with_digest(
            instance_labels(instance, role="router", part=places.seat),
            hashlib.sha256(made_of.encode()).hexdigest()[:16],
        ),
        command=(
            "sh", "-c", START, "router", str(places.own_socket), str(places.behind), str(places.taken),
            str(places.current), str(places.earlier),
        ),
        network=HostNetwork(),
        binds=tuple(binds),
        tmpfs={"/tmp": "rw,nosuid,nodev,size=16m,mode=1777"},
        capabilities=CAPABILITIES,
        memory_bytes=memory_mb * MEGABYTE,
        restart="unless-stopped",
        stop_seconds=STOP_SECONDS,
        stop_signal="SIGQUIT",
    )
