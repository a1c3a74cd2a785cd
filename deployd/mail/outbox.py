"""The outbox of one environment: its box, what it may send now, and who of it is connected."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from deployd.mail.box import Box, BoxFull
from deployd.mail.configuration import MailConfiguration, MailEnvironment
from deployd.mail.mail import HEAD_BYTES, KEPT, WAITS, Mail, subject_of

MOST_CONNECTIONS = 20
"""Of one environment at once."""
MINUTE = 60.0


class Outbox:
    """One environment. What the daemon tells of it may change, the box stays."""

    def __init__(self, environment: MailEnvironment, configuration: MailConfiguration) -> None:
        self.box = Box(Path(environment.project) / environment.environment)
        self.connections = 0
        self.mail_waits = asyncio.Event()
        self._left = float(environment.per_minute)
        self._counted = time.monotonic()
        self.tell(environment, configuration)

    def tell(self, environment: MailEnvironment, configuration: MailConfiguration) -> None:
        self.environment = environment
        self.message_bytes = configuration.message_bytes
        self._keep_seconds = configuration.keep_seconds
        self._least_free_bytes = configuration.least_free_bytes
        if environment.relay is None:
            self.box.keep_all()

    def lets_in(self, peer: str) -> bool:
        """Whether somebody who connects is of this environment, and there is room for another one."""
        return self.environment.is_home_of(peer) and self.connections <= MOST_CONNECTIONS

    def refusal(self) -> str:
        """Why no mail can be taken now, as an answer of SMTP; empty when it can. Counts one that is taken."""
        now = time.monotonic()
        rate = self.environment.per_minute
        self._left = min(rate, self._left + (now - self._counted) * rate / MINUTE)
        self._counted = now
        if self._left < 1:
            return f"451 4.7.1 this environment has sent {rate} mails in a minute, and may not send more"
        disk = os.statvfs(self.box.folder.parent)
        if disk.f_bavail * disk.f_frsize < self._least_free_bytes:
            return "452 4.3.1 the disk of the host is full"
        if self.environment.relay is not None:
            try:
                self.box.refuse_waiting(self.environment.box_bytes)
            except BoxFull:
                return "452 4.3.1 too many mails of this environment wait for the relay"
        self._left -= 1
        return ""

    async def take(self, draft: Path, sender: str, recipients: tuple[str, ...], size_bytes: int) -> None:
        """Keep a message that is here whole; when this returns it outlives a power cut."""
        with draft.open("rb") as file:
            subject = subject_of(file.read(HEAD_BYTES))
            await asyncio.to_thread(os.fsync, file.fileno())
        waits = self.environment.relay is not None
        mail = self.box.add(draft, Mail(
            0, time.time(), sender, recipients, size_bytes, subject, WAITS if waits else KEPT, again_at=0.0,
        ), self.environment.box_bytes)
        await asyncio.to_thread(self.box.make_durable, mail.id)
        if waits:
            self.mail_waits.set()

    def sweep(self) -> None:
        self.box.forget_older(self._keep_seconds)
