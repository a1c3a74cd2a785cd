"""What `deployd-ssh` last said of itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deployd.ssh.link import Values


@dataclass(slots=True)
class SshSeen:
    connections: int = 0
    """That have authenticated."""
    handshakes: int = 0
    """That have not."""
    sessions: int = 0
    evicted: int = 0
    """Handshakes that had to make room for others, since its start."""
    trouble: str = ""
    """Why nobody is listened for."""
    at: datetime | None = None
    """None: it has said nothing yet."""

    def note(self, said: Values, now: datetime) -> None:
        self.connections, self.handshakes = int(said.get("connections", 0)), int(said.get("handshakes", 0))
        self.sessions, self.evicted = int(said.get("sessions", 0)), int(said.get("evicted", 0))
        self.trouble, self.at = str(said.get("trouble", ""))[:500], now

    def forget(self) -> None:
        """It has gone."""
        self.connections = self.handshakes = self.sessions = 0
        self.trouble, self.at = "", None
