"""The router's container, and the router as it is wanted. How it comes to run stands in `upgrade.py`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from deployd.engine.names import DIGEST, instance_labels, with_digest
from deployd.engine.specs import Bind, ContainerSpec, HostNetwork
from deployd.router.paths import SEATS, RouterPlaces
from deployd.router_process.nginx_conf import RouterConfig
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
GOODBYE_SECONDS = 5.0
"""Who uses a connection more often is told that it ends. What has been idle for longer is closed in silence."""
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


@dataclass(frozen=True, slots=True)
class WantedRouter:
    """The router as the settings and this version of deployd want it."""

    instance: str
    image: str
    image_id: str
    run: Path
    source: Path
    """config/router of the program."""
    config: RouterConfig
    certificates: Path | None = None
    memory_mb: int = MEMORY_MB
    goodbye_seconds: float = GOODBYE_SECONDS

    def places(self, seat: str) -> RouterPlaces:
        return RouterPlaces(self.run, seat)

    def container(self, seat: str) -> ContainerSpec:
        return router_container(
            self.instance, self.image, self.image_id, self.places(seat), self.certificates, self.memory_mb,
        )

    @property
    def digest(self) -> str:
        return self.container(SEATS[0]).labels[DIGEST]
