"""Where containers bring their mails: SMTP, one conversation each, in bounds.

The protocol is aiosmtpd's. Its way to take a message is not: it gathers the lines in memory, where 25 MB of empty ones
are a gigabyte, and refuses lines that are longer than 1,000 bytes, which PHP's programs write. Here a message goes into
a file as it comes.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import TimerHandle
from contextlib import suppress
from typing import BinaryIO

from aiosmtpd.smtp import SMTP, Envelope, Session

from deployd.mail.mail import MOST_RECIPIENTS
from deployd.mail.outbox import Outbox

IDLE_SECONDS = 60.0
"""Without a command, or without a further piece of a message."""
LONGEST_SECONDS = 900.0
"""Of a connection; who has more to send makes another one."""
MOST_COMMANDS = {"MAIL": 2_000, "RCPT": 20_000, "DATA": 2_000, "RSET": 4_000, "*": 100}
"""Of one connection, by command."""
BREATH_LINES = 1_000
"""After so many lines others come to their turn."""
FREEBIND = getattr(socket, "IP_FREEBIND", 15)
"""<linux/in.h>: an address may be listened on that is not there yet, and one that goes and comes back."""
WAITING_CONNECTIONS = 64
NOBODY = "<>"


class SmtpSession(SMTP):
    """One conversation with a container of an environment."""

    line_length_limit = 65_536

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(
            _Rules(), data_size_limit=outbox.message_bytes, enable_SMTPUTF8=True, hostname="deployd", ident="ESMTP",
            timeout=IDLE_SECONDS, command_call_limit=MOST_COMMANDS, loop=asyncio.get_running_loop(),
        )
        self._outbox = outbox
        self._end: TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._outbox.connections += 1
        self._end = self.loop.call_later(LONGEST_SECONDS, transport.abort)
        peer = transport.get_extra_info("peername")
        if not (isinstance(peer, tuple) and self._outbox.lets_in(str(peer[0]))):
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._outbox.connections -= 1
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        envelope = self.envelope
        if await self.check_helo_needed():
            return
        if envelope is None or not envelope.rcpt_tos or not envelope.mail_from:
            await self.push("503 Error: need RCPT command")
        elif arg:
            await self.push("501 Syntax: DATA")
        elif refusal := self._outbox.refusal():
            self._set_post_data_state()  # type: ignore[no-untyped-call]
            await self.push(refusal)
        else:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            answer = await self._take(envelope.mail_from, tuple(envelope.rcpt_tos))
            self._set_post_data_state()  # type: ignore[no-untyped-call]
            await self.push(answer)

    async def _take(self, sender: str, recipients: tuple[str, ...]) -> str:
        """Read a message to its end, whatever becomes of it. Gives the answer."""
        draft = self._outbox.box.draft()
        try:
            try:
                with draft.open("xb") as file:
                    size = await self._read_message(file)
            except OSError:
                return "452 4.3.1 the message cannot be written"
            if size > self._outbox.message_bytes:
                return f"552 5.3.4 a message may have {self._outbox.message_bytes} bytes"
            await self._outbox.take(draft, "" if sender == NOBODY else sender, recipients, size)
            return "250 2.0.0 OK"
        except OSError:
            return "452 4.3.1 the message cannot be kept"
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    async def _read_message(self, file: BinaryIO) -> int:
        """Write a message into a file, as far as it may be long. Gives its size.

        Raises:
            OSError: It cannot be written; it has been read all the same.
        """
        size, lines, begins, failed = 0, 0, True, None
        while True:
            try:
                piece: bytes = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.read(error.consumed)
            if begins and piece == b".\r\n":
                break
            if begins and piece[:1] == b".":
                piece = piece[1:]
            begins = piece[-2:] == b"\r\n"
            size += len(piece)
            if size <= self._outbox.message_bytes and failed is None:
                try:
                    file.write(piece)
                except OSError as error:   # a full disk
                    failed = error
            lines += 1
            if lines % BREATH_LINES == 0:
                self._reset_timeout()
                await asyncio.sleep(0)
        if failed is not None:
            raise failed
        return size


class _Rules:
    """What is looked at in the envelope."""

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str],
    ) -> str:
        if not _is_clean(address):
            return "553 5.1.7 Error: malformed address"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str],
    ) -> str:
        if not _is_clean(address) or address == NOBODY:
            return "553 5.1.3 Error: malformed address"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Error: too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"


def _is_clean(address: str) -> bool:
    """No blank, no control character, nothing that is no text, so nothing that could be a command to a relay."""
    return address.isprintable() and " " not in address


def listener(host: str, port: int) -> socket.socket:
    """
    Raises:
        OSError: Another program has the port.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_IP, FREEBIND, 1)
        made.bind((host, port))
        made.listen(WAITING_CONNECTIONS)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
