"""The images' `sendmail`, called as programs call it, with a mail server in front of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deployd.process import Output, run

SENDMAIL = Path(__file__).parents[2] / "config" / "images" / "app" / "sendmail"
NETWORKS = count(1)
HEAD = b"From: Shop <shop@shop.test>\nDate: then\nMessage-ID: <1@shop.test>\n"


@dataclass
class Server:
    host: str
    taken: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str],
    ) -> str:
        if address in ("unknown@c.test", "busy@c.test"):
            return "550 no such user" if "unknown" in address else "451 later"
        if len(envelope.rcpt_tos) == 100:
            return "452 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 OK"

    async def sendmail(self, *argv: str, stdin: bytes, host: str | None = None) -> Output:
        return await run(
            sys.executable, "-IS", str(SENDMAIL), *argv, stdin=stdin, check=False,
            env={"MAGENTO_CLOUD_SMTP_HOST": self.host if host is None else host},
        )


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(f"127.78.{next(NETWORKS)}.1")
    controller = Controller(made, hostname=made.host, port=25)
    controller.start()
    yield made
    controller.stop()


async def test_recipients_come_out_of_the_headers_and_bcc_is_not_sent(server: Server) -> None:
    message = HEAD + (b"To: Ada <ada@c.test>,\n \"B, ob\" <bob@c.test>\nbcc: hidden@c.test,\n\tother@c.test\n"
                      b"Cc: ada@c.test\nSubject: s\n\nBcc: stays\n.\nlast line")
    ended = await server.sendmail("-t", "-i", stdin=message)
    assert (ended.status, ended.stderr) == (0, b"")
    [taken] = server.taken
    assert (taken.mail_from, taken.rcpt_tos) == (
        "shop@shop.test", ["ada@c.test", "bob@c.test", "hidden@c.test", "other@c.test"])
    kept = b"To: Ada <ada@c.test>,\n \"B, ob\" <bob@c.test>\nCc: ada@c.test\nSubject: s\n\nBcc: stays\n.\nlast line\n"
    assert taken.content == (HEAD + kept).replace(b"\n", b"\r\n")


async def test_what_is_missing_is_added_and_a_dot_ends_a_message(server: Server) -> None:
    ended = await server.sendmail(
        "-oem", "-f<bounce@shop.test>", "-F", "The Shop", "ada@c.test", stdin=b"no header here\r\n.\r\nnot sent\r\n",
    )
    assert (ended.status, ended.stderr) == (0, b"")
    [taken] = server.taken
    content = bytes(taken.content or b"")
    assert (taken.mail_from, taken.rcpt_tos) == ("bounce@shop.test", ["ada@c.test"])
    assert content.startswith(b"From: The Shop <bounce@shop.test>\r\nDate: ")
    assert b"\r\nMessage-ID: <" in content
    assert content.endswith(b"\r\n\r\nno header here\r\n")


async def test_smtp_goes_through_as_it_is(server: Server) -> None:
    said = b"EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nSubject: s\r\n\r\n..dot\r\n.\r\nQUIT\r\n"
    ended = await server.sendmail("-bs", stdin=said)
    assert ended.status == 0
    assert ended.text.splitlines()[-1].startswith("221")
    assert server.taken[0].content == b"Subject: s\r\n\r\n.dot\r\n"


async def test_more_recipients_than_a_mail_may_have_get_it_in_turns(server: Server) -> None:
    ended = await server.sendmail("-i", *(f"{number}@c.test" for number in range(250)), stdin=HEAD + b"\nx\n")
    assert ended.status == 0
    assert [len(taken.rcpt_tos) for taken in server.taken] == [100, 100, 50]


@pytest.mark.parametrize(("argv", "stdin", "host", "status", "why"), [
    (["-t"], HEAD + b"\nx", None, 65, "nobody is named"), ([], b"x", None, 64, "nobody is named"),
    (["--nonsense"], b"", None, 64, "nonsense"), (["-bp"], b"", None, 64, "-bp"),
    (["unknown@c.test"], b"x", None, 65, "no such user"), (["busy@c.test"], b"x", None, 75, "later"),
    (["ada@c.test"], b"x", "127.78.200.1", 75, "refused"), (["ada@c.test"], b"x", "", 69, "there is no mail here"),
])
async def test_what_cannot_be_sent_is_told_with_a_status_of_sysexits(
    server: Server, argv: list[str], stdin: bytes, host: str | None, status: int, why: str,
) -> None:
    ended = await server.sendmail(*argv, stdin=stdin, host=host)
    assert (ended.status, server.taken) == (status, [])
    assert ended.stderr.startswith(b"sendmail: ")
    assert why in ended.stderr.decode()
