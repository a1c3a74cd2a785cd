"""Where the files of the router lie on the host; the container sees the same paths. Pure.

While one router takes over from another there are two, each in a seat of its own: a control socket, a configuration, a
cache. What does not belong to one of them (certificates, the access log) they share.

Surprise: the control sockets have a folder that only root may enter, because nginx lets everybody write to the
sockets that it makes; and the container sees only this folder of the daemon's run folder, not the daemon's own socket.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

LONGEST_SOCKET_PATH = 107
"""Bytes; a limit of the kernel (unix(7))."""

WWW_DATA = 33
"""Group of nginx's workers in the router's image; the same number in every Debian (base-passwd)."""

SEATS = ("a", "b")


@dataclass(frozen=True, slots=True)
class RouterPlaces:
    """Paths below the daemon's run folder."""

    run: Path
    """The daemon's run folder, `/run/deployd`."""
    seat: str = SEATS[0]
    """Of which router `own` and what is below it are."""

    @property
    def folder(self) -> Path:
        """The one folder that the container sees."""
        return self.run / "router"

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def socket(self) -> Path:
        """A link to the control socket of the router that serves."""
        return self.control / "router.sock"

    @property
    def earlier(self) -> Path:
        """A link to the control socket of the router that it took over from, while that one has something to end."""
        return self.control / "former.sock"

    @property
    def pass_key(self) -> Path:
        """Signs operators' passes; random, for root only."""
        return self.control / "pass.key"

    @property
    def logs(self) -> Path:
        """Folder of the access log; only root and nginx's workers may enter it."""
        return self.folder / "logs"

    @property
    def access_log(self) -> Path:
        """Requests of all environments, as nginx writes them."""
        return self.logs / "access.log"

    @property
    def certificates(self) -> Path:
        """Folder of `<host>.pem`, certificate and key in one; nginx's workers read them at the handshake."""
        return self.folder / "certificates"

    @property
    def challenges(self) -> Path:
        """Folder of what a certificate authority asks for, by token."""
        return self.folder / "challenges"

    @property
    def own(self) -> Path:
        """Folder of the router in this seat."""
        return self.folder / self.seat

    @property
    def own_socket(self) -> Path:
        """Its control socket."""
        return self.control / f"{self.seat}.sock"

    @property
    def behind(self) -> Path:
        """Folder of the socket behind its cache; only nginx's workers may enter it."""
        return self.own / "behind"

    @property
    def taken(self) -> Path:
        """What it was told by the router that it took over from; nginx reads it at its start and removes it."""
        return self.control / f"{self.seat}.json"

    @property
    def current(self) -> Path:
        """A link to its configuration in use."""
        return self.own / "current"

    def version(self, digest: str) -> Path:
        """Folder of one rendered configuration: nginx.conf, lua/ and pages/."""
        return self.own / f"config-{digest}"

    @property
    def other(self) -> RouterPlaces:
        """The places of the other seat."""
        return replace(self, seat=SEATS[1] if self.seat == SEATS[0] else SEATS[0])
