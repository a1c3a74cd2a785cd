"""Where the files of the router lie on the host; the container sees the same paths. Pure.

Surprise: the control socket has a folder of its own that only root may enter, because nginx lets everybody write to the
sockets that it makes; and the container sees only this folder of the daemon's run folder, not the daemon's own socket.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LONGEST_SOCKET_PATH = 107
"""Bytes; a limit of the kernel (unix(7))."""

WWW_DATA = 33
"""Group of nginx's workers in the router's image; the same number in every Debian (base-passwd)."""


@dataclass(frozen=True, slots=True)
class RouterPlaces:
    """Paths below the daemon's run folder."""

    run: Path
    """The daemon's run folder, `/run/deployd`."""

    @property
    def folder(self) -> Path:
        """The one folder that the container sees."""
        return self.run / "router"

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def socket(self) -> Path:
        return self.control / "router.sock"

    @property
    def behind(self) -> Path:
        """Folder of the socket behind the cache; only nginx's workers may enter it."""
        return self.folder / "behind"

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
    def current(self) -> Path:
        """A link to the configuration in use."""
        return self.folder / "current"

    def version(self, digest: str) -> Path:
        """Folder of one rendered configuration: nginx.conf, lua/ and pages/."""
        return self.folder / f"config-{digest}"
