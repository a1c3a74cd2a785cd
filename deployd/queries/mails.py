"""Mails: what applications sent that lies in the box of their environment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from deployd.access.errors import NotFound
from deployd.mail.box_reader import read_box, read_message
from deployd.mail.mail import Mail
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.times import iso_of_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MailShape:
    """A mail that an application of an environment sent."""

    id: int
    at: str
    """When it came: ISO 8601, UTC."""
    sender: str
    """Of the envelope."""
    recipients: tuple[str, ...]
    """Who has not got it."""
    subject: str
    size_bytes: int
    state: str
    """`kept` in the box, `waits` for the relay, or `refused` by it; what the relay took is not here any more."""
    why: str
    """What the relay said last."""
    tries: int
    again_at: str
    """When it is tried again: ISO 8601, UTC; empty when it is not."""


class MailQueries:
    def __init__(self, state: Path, environments: EnvironmentQueries, turns: asyncio.Semaphore) -> None:
        """
        Args:
            state: The daemon's folder, which has the boxes.
            turns: For each look in a box: threads are for others too.
        """
        self._state = state
        self._environments = environments
        self._turns = turns

    async def all(self, project: str, environment: str) -> list[MailShape]:
        """In the box of an environment (machine name or branch), newest first.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find(project, environment)
        async with self._turns:
            mails = await asyncio.to_thread(read_box, self._state, found.project, found.name)
        return [mail_shape(mail) for mail in mails]

    async def message(self, project: str, environment: str, number: int) -> bytes:
        """One of them, byte for byte.

        Raises:
            NotFound: There is none.
        """
        found = await self._environments.find(project, environment)
        async with self._turns:
            message = await asyncio.to_thread(read_message, self._state, found.project, found.name, number)
        if message is None:
            raise NotFound(f"there is no mail {number} in the box of {found.id}",
                           hint=f"`deployd mail {found.project} {found.name}` shows what there is")
        return message


def mail_shape(mail: Mail) -> MailShape:
    return MailShape(
        id=mail.id, at=iso_of_seconds(mail.at), sender=mail.sender, recipients=mail.recipients,
        subject=mail.subject, size_bytes=mail.size_bytes, state=mail.state, why=mail.why, tries=mail.tries,
        again_at=iso_of_seconds(mail.again_at) if mail.again_at else "",
    )
