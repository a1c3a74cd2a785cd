"""What `deployd-ssh` has to know of the settings: the daemon says it over the link. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployd.ssh.bounds import Bounds
from deployd.ssh.link import Values


@dataclass(frozen=True, slots=True)
class SshConfiguration:
    host: str
    """Empty: every address of the host."""
    port: int
    """0: nobody is listened for."""
    host_key: str
    """The private key, as OpenSSH writes it."""
    idle_seconds: float = 3600.0
    bounds: Bounds = field(default_factory=Bounds)

    def values(self) -> Values:
        bounds = {name: getattr(self.bounds, name) for name in Bounds.__slots__}
        return {"host": self.host, "port": self.port, "host_key": self.host_key, "idle_seconds": self.idle_seconds,
                "bounds": bounds}


def read_configuration(values: Values) -> SshConfiguration:
    """
    Raises:
        KeyError, TypeError, ValueError: It is none; both sides are ours.
    """
    bounds = values["bounds"]
    return SshConfiguration(
        str(values["host"]), int(values["port"]), str(values["host_key"]), float(values["idle_seconds"]),
        Bounds(**{name: int(bounds[name]) for name in Bounds.__slots__}),
    )
