"""What lives as long as the process, over reloads: sockets, mail, the link to SSH, followed logs, a refused reload."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from weakref import WeakSet

from deployd.activity.log import Logs
from deployd.clock import Clock, SystemClock
from deployd.daemon.listeners import Listeners
from deployd.daemon.ssh_door import SshDoor
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.mail.supervisor import MailServerProcess
from deployd.upkeep.access_tail import AccessTail

READS_AGAIN = "the daemon reads its settings again, the log goes on"


@dataclass
class ProcessState:
    """One for the life of the process."""

    listeners: Listeners = field(default_factory=Listeners)
    mail_server: MailServerProcess = field(default_factory=MailServerProcess)
    ssh: SshDoor = field(default_factory=SshDoor)
    clock: Clock = field(default_factory=SystemClock)
    tails: WeakSet[AccessTail] = field(default_factory=WeakSet)
    """Of access logs that somebody reads, also since before a reload."""
    began: float = field(default_factory=time.monotonic)
    refused: tuple[datetime, DeployError] | None = None
    """The last reload, if it was."""
    is_ready: bool = False
    """Whether the daemon was, with the settings that it has now."""
    _logs: Logs | None = None

    def logs(self, folder: Path) -> Logs:
        """The activity logs, with all who follow them."""
        if self._logs is None or self._logs.folder != folder:
            if self._logs is not None:   # of another `state`, which nothing comes from any more
                self._logs.end_followers()
            self._logs = Logs(folder, self.clock)
        return self._logs

    def troubles(self) -> list[str]:
        if self.refused is None:
            return []
        at, error = self.refused
        where = f" ({error.where})" if error.where else ""
        evidence = "".join(f" {line};" for line in error.evidence[:5])
        return [
            f"the settings were not read again at {at:%Y-%m-%d %H:%M} UTC, and those from before go on: "
            f"{error.what}{where}{':' if evidence else ''}{evidence.rstrip(';')}; hint: {error.hint or 'see the log'}, "
            "and reload",
        ]

    def tell_followers(self, running: list[ActivityId]) -> None:
        """Say that the daemon reads its settings again, in the logs of what runs. Who follows them goes on."""
        for activity in running:
            with suppress(OSError):
                tell = self._logs.open(activity) if self._logs else None
                if tell is not None:
                    tell.line(READS_AGAIN)
                    tell.close()

    def end_followers(self) -> None:
        """The daemon stops: first of all, else closing the sockets waits for them."""
        if self._logs is not None:
            self._logs.end_followers()
        for tail in self.tails:
            tail.end()
