"""The mail server as the daemon starts it, on addresses of the loopback network, and an operator's relay beside him."""

from __future__ import annotations

import asyncio
import os
import smtplib
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, chdir, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deployd.mail.box import MOST_MAILS, Box, forget_strays
from deployd.mail.box_reader import FOLDER, read_box, read_message
from deployd.mail.configuration import MailConfiguration, MailEnvironment, Relay
from deployd.mail.delivery import DeliveryQueue
from deployd.mail.mail import Mail
from deployd.mail.outbox import MOST_CONNECTIONS, Outbox
from deployd.mail.supervisor import MAIL_SERVER_UID, MailServerProcess, MailSupervisor
from deployd.process import run

LIMIT_SECONDS = 60.0
NETWORKS = count(1)
MESSAGE = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: shop@shop.test\r\n\r\n.a line with a dot\r\nand the last\r\n"
PERSON, OTHER, UNKNOWN, BUSY = "ada@example.com", "bob@example.com", "unknown@example.com", "busy@example.com"


@dataclass
class OperatorsRelay:
    """Takes mails but for two addresses, from who knows the password when it has one."""

    port: int
    password: str = ""
    taken: list[Envelope] = field(default_factory=list)

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, environment: str, _options: list[str],
    ) -> str:
        if self.password and not session.authenticated:
            return "530 who are you?"
        envelope.mail_from = environment
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, environment: str, _options: list[str],
    ) -> str:
        if environment == UNKNOWN:
            return "550 no such user"
        if environment == BUSY:
            return "451 later"
        envelope.rcpt_tos.append(environment)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 OK"

    @contextmanager
    def open(self, certificate: Path | None = None) -> Iterator[OperatorsRelay]:
        """
        Args:
            certificate: With its key, for TLS from the first byte.
        """
        more: dict[str, Any] = {"authenticator": self.check, "auth_require_tls": False} if self.password else {}
        if certificate is not None:
            more["ssl_context"] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            more["ssl_context"].load_cert_chain(certificate)
        controller = Controller(self, hostname="127.0.0.1", port=self.port, **more)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()

    def check(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, found: LoginPassword,
    ) -> AuthResult:
        return AuthResult(success=found.password == self.password.encode())


@dataclass
class Stand:
    """Environments with a network each, and what the daemon tells of them."""

    state: Path
    configuration: MailConfiguration
    mail: MailSupervisor = field(init=False)

    def __post_init__(self) -> None:
        self.mail = MailSupervisor(self.state / FOLDER, self.read)

    async def read(self) -> MailConfiguration:
        return self.configuration

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stand]:
        serving = asyncio.create_task(self.mail.serve())
        try:
            for environment in self.configuration.environments:
                await until(lambda at=environment: self.answers(at))
            yield self
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    def answers(self, environment: MailEnvironment) -> bool:
        with suppress(OSError), self.client(environment):
            return True
        return False

    def client(self, environment: MailEnvironment, source: str = "") -> smtplib.SMTP:
        """A program in a container of an environment."""
        own = source or environment.gateway.removesuffix("1") + "7"
        return smtplib.SMTP(environment.gateway, self.configuration.port, "container", LIMIT_SECONDS, (own, 0))

    def box(self, environment: MailEnvironment) -> list[Mail]:
        return read_box(self.state, environment.project, environment.environment)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, MailConfiguration(free_port(), 1_000_000, 86_400.0, 0, (new_environment("new"),)))


def new_environment(environment: str, relay: Relay | None = None, **more: int) -> MailEnvironment:
    values = {"box_bytes": 1_000_000, "per_minute": 10_000, **more}
    return MailEnvironment("shop", environment, f"127.77.{next(NETWORKS)}.0/24", relay=relay, **values)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.02)


def send(client: smtplib.SMTP, *recipients: str, message: bytes = MESSAGE) -> dict[str, tuple[int, bytes]]:
    return client.sendmail("shop@shop.test", recipients or (PERSON,), message)


async def test_a_mail_lies_in_the_box_of_the_network_that_it_came_from_byte_for_byte(stand: Stand) -> None:
    mine, other = new_environment("mine"), new_environment("other")
    stand.configuration = replace(stand.configuration, environments=(mine, other))
    async with stand.open():
        with stand.client(mine) as client:
            assert send(client, PERSON, OTHER) == {}
            assert send(client, message=b"\r\n.\n.\r\nbare\n") == {}, "and the connection goes on"
        found = stand.box(mine)
        assert [(item.id, item.recipients, item.state) for item in found] == [
            (2, (PERSON,), "kept"), (1, (PERSON, OTHER), "kept")]
        assert (found[1].sender, found[1].subject, found[1].size_bytes) == ("shop@shop.test", "Grüße", len(MESSAGE))
        assert read_message(stand.state, "shop", "mine", 1) == MESSAGE
        assert stand.box(other) == []
        for source in (other.gateway, "127.0.0.1"):
            with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
                stand.client(mine, source)
        assert (stand.state / FOLDER / "shop").stat().st_uid == MAIL_SERVER_UID


async def test_commands_in_addresses_and_floods_are_refused(stand: Stand) -> None:
    [environment] = stand.configuration.environments
    async with stand.open():
        with stand.client(environment) as client:
            client.ehlo()
            for wrong in ("<a\rRCPT TO:<b@c.de>@d.de>", "<>", "\"a b\"@c.de", "<\udcff@b.de>"):
                assert client.docmd("MAIL", "FROM:<shop@shop.test>")[0] == 250
                client.send(f"RCPT TO:{wrong}\r\n".encode(errors="surrogateescape"))
                assert client.getreply()[0] in (501, 553), wrong
                client.rset()
            assert client.docmd("MAIL", "FROM:<shop@shop.test>")[0] == 250
            codes = [client.rcpt(f"{number}@example.com")[0] for number in range(101)]
            assert codes == [250] * 100 + [452]
            client.rset()
            too_large = b"Subject: large\r\n\r\n" + b"\r\n" * 600_000
            with pytest.raises(smtplib.SMTPSenderRefused, match="552"):   # of one that says it before
                send(client, message=too_large)
            assert (client.mail("a@b.de")[0], client.rcpt(PERSON)[0]) == (250, 250)
            with pytest.raises(smtplib.SMTPDataError, match="552"):
                raise smtplib.SMTPDataError(*client.data(too_large))
            long_line = b"Subject: long\r\n\r\n" + b"x" * 300_000 + b"\r\n"
            assert send(client, message=long_line) == {}
            assert read_message(stand.state, "shop", "new", 1) == long_line
        open_ones = [stand.client(environment) for _ in range(MOST_CONNECTIONS)]
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            stand.client(environment)
        for client in open_ones:
            client.close()
    assert not list((stand.state / FOLDER).rglob(".draft*"))


async def test_an_environment_sends_so_many_in_a_minute_and_has_so_much_in_its_box(stand: Stand) -> None:
    hasty, small = new_environment("hasty", per_minute=5), new_environment("small", box_bytes=2_500)
    stand.configuration = replace(stand.configuration, port=25, environments=(hasty, small))   # as without a firewall
    async with stand.open():
        with stand.client(hasty) as client:
            for _ in range(5):
                send(client)
            with pytest.raises(smtplib.SMTPDataError, match="5 mails in a minute"):
                send(client)
        with stand.client(small) as client:
            for number in range(1, 8):
                send(client, message=f"Subject: {number}\r\n\r\n{'x' * 900}\r\n".encode())
        assert [item.subject for item in stand.box(small)] == ["7", "6"]


async def test_only_mails_of_production_reach_the_relay_and_wait_for_it_over_a_restart(stand: Stand) -> None:
    relay = OperatorsRelay(free_port())
    production = new_environment("main", Relay("127.0.0.1", relay.port, tls=False, user="", password="", sender=""))
    preview = new_environment("preview")
    stand.configuration = replace(stand.configuration, environments=(production, preview))
    async with stand.open():
        for environment in (production, preview):
            with stand.client(environment) as client:
                send(client, PERSON, UNKNOWN, BUSY)
        await until(lambda: stand.mail.troubles() != ())
        assert f"1 mails of shop/main wait for the relay 127.0.0.1:{relay.port}" in stand.mail.troubles()[0]
        await until(lambda: stand.box(production)[0].tries == 1)
        [waiting] = stand.box(production)
        assert (waiting.state, waiting.recipients) == ("waits", (PERSON, UNKNOWN, BUSY))
        assert waiting.again_at > waiting.at
    with relay.open():
        async with stand.open():
            await until(lambda: len(relay.taken) == 1)
            [taken] = relay.taken
            assert (taken.content, taken.mail_from, taken.rcpt_tos) == (MESSAGE, "shop@shop.test", [PERSON])
            await until(lambda: stand.box(production)[0].recipients == (BUSY,))
            [left] = stand.box(production)
            assert (left.state, "451 later" in left.why, "550 no such user" in left.why) == ("waits", True, True)
            assert stand.mail.troubles() == ()
            with stand.client(production) as client:
                assert send(client) == {}
                assert send(client, UNKNOWN) == {}
            await until(lambda: len(relay.taken) == 2)
            await until(lambda: [item.state for item in stand.box(production)] == ["refused", "waits"])
            assert [item.state for item in stand.box(preview)] == ["kept"]
    assert len(relay.taken) == 2


async def test_a_password_is_sent_over_tls_only_and_a_wrong_one_is_told(stand: Stand) -> None:
    relay = OperatorsRelay(free_port(), password="the-right-one")
    plain = Relay("127.0.0.1", relay.port, tls=False, user="shop", password="the-right-one", sender="bounce@host.test")
    production = new_environment("main", plain)
    stand.configuration = replace(stand.configuration, environments=(production,))
    with relay.open():
        async with stand.open():
            with stand.client(production) as client:
                send(client)
            await until(lambda: stand.mail.troubles() != ())
            assert "STARTTLS" in stand.mail.troubles()[0]
            stand.configuration = replace(stand.configuration, environments=(replace(production, relay=replace(
                plain, user="", password="")),))
            stand.mail.wake()
            await until(lambda: "530" in "".join(stand.mail.troubles()))
    assert relay.taken == []


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_relay_over_tls_gets_the_password_when_it_shows_whom_it_is(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool,
) -> None:
    relay, pem = OperatorsRelay(free_port(), password="the-right-one"), tmp_path / "relay.pem"
    await run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=r",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(pem), "-out", f"{pem}.crt",
    )
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    store = Path(tempfile.mkdtemp(prefix="deployd-mail-"))   # pytest's own folder is closed to it
    store.chmod(0o755)
    (store / "trusted.crt").write_bytes(Path(f"{pem}.crt").read_bytes() if trusted else b"")
    monkeypatch.setenv("SSL_CERT_FILE", str(store / "trusted.crt"))
    secure = Relay("127.0.0.1", relay.port, tls=True, user="shop", password="the-right-one", sender="bounce@host.test")
    production = new_environment("main", secure)
    stand.configuration = replace(stand.configuration, environments=(production,))
    with relay.open(pem):
        async with stand.open():
            with stand.client(production) as client:
                send(client)
            await until(lambda: bool(relay.taken or stand.mail.troubles()))
            if trusted:
                assert [(item.mail_from, item.rcpt_tos) for item in relay.taken] == [("bounce@host.test", [PERSON])]
            else:
                assert "certificate verify failed" in stand.mail.troubles()[0]
                assert relay.taken == []
    (store / "trusted.crt").unlink()
    store.rmdir()


async def test_an_address_that_is_taken_is_told_and_tried_again(stand: Stand) -> None:
    [environment] = stand.configuration.environments
    with socket.socket() as other:
        other.bind((environment.gateway, stand.configuration.port))
        other.listen()
        serving = asyncio.create_task(stand.mail.serve())
        try:
            await until(lambda: stand.mail.troubles() != ())
            assert "cannot take mails of shop/new" in stand.mail.troubles()[0]
            other.close()
            await until(lambda: stand.mail.troubles() == () and stand.answers(environment))
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


async def test_a_box_that_cannot_be_had_is_tried_again(stand: Stand) -> None:
    [environment] = stand.configuration.environments
    (stand.state / FOLDER / "shop").mkdir(parents=True)
    (stand.state / FOLDER / "shop" / "new").write_text("in the way")
    (stand.state / FOLDER / "shop").chmod(0o777)
    serving = asyncio.create_task(stand.mail.serve())
    try:
        await until(lambda: stand.mail.troubles() != ())
        assert "cannot have a box for shop/new" in stand.mail.troubles()[0]
        (stand.state / FOLDER / "shop" / "new").unlink()
        await until(lambda: stand.mail.troubles() == () and stand.answers(environment))
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def test_a_reload_changes_the_port_and_forgets_no_trouble(stand: Stand) -> None:
    [environment] = stand.configuration.environments
    taken = new_environment("taken")
    stand.configuration = replace(stand.configuration, environments=(environment, taken))
    process = MailServerProcess()
    with socket.socket() as other, socket.socket() as more:
        other.bind((taken.gateway, stand.configuration.port))
        other.listen()
        try:
            for port in (stand.configuration.port, stand.configuration.port, free_port()):
                stand.configuration = replace(stand.configuration, port=port)
                if port != other.getsockname()[1]:
                    more.bind((taken.gateway, port))
                    more.listen()
                mail = MailSupervisor(stand.state / FOLDER, stand.read, process=process)
                serving = asyncio.create_task(mail.serve())
                try:
                    await until(lambda mail=mail: mail.troubles() != () and stand.answers(environment))
                    assert f"cannot take mails of shop/taken at {taken.gateway}:{port}" in mail.troubles()[0]
                finally:
                    serving.cancel()
                    with suppress(asyncio.CancelledError):
                        await serving
        finally:
            await process.end()


async def test_a_mail_that_cannot_be_read_now_is_not_taken_away(tmp_path: Path) -> None:
    environment = new_environment("main", Relay("127.0.0.1", free_port(), False, "", "", ""))
    with chdir(tmp_path):
        outbox = Outbox(environment, MailConfiguration(25, 1_000, 86_400.0, 0, (environment,)))
    box = outbox.box = Box(tmp_path / "box")
    draft = box.draft()
    draft.write_bytes(b"x")
    box.add(draft, Mail(0, time.time(), "a@b.de", (PERSON,), 1, "", "waits"), 1_000_000)
    message = tmp_path / "box" / "1.eml"
    message.rename(tmp_path / "moved")
    message.mkdir()   # as good as a disk that gives an error
    told = asyncio.Event()
    queue = DeliveryQueue(outbox, asyncio.Semaphore(1), told.set)
    delivering = asyncio.create_task(queue.serve())
    async with asyncio.timeout(LIMIT_SECONDS):
        await told.wait()
    delivering.cancel()
    with suppress(asyncio.CancelledError):
        await delivering
    assert "cannot be handed over" in queue.trouble
    assert box.read(1) is not None
    assert box.waiting == 1


async def test_a_mail_that_was_taken_is_on_the_disk_with_its_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = new_environment("main")
    with chdir(tmp_path):
        outbox = Outbox(environment, MailConfiguration(25, 1_000, 86_400.0, 0, (environment,)))
        synced: list[int] = []
        monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
        draft = outbox.box.draft()
        draft.write_bytes(b"x")
        await outbox.take(draft, "a@b.de", (PERSON,), 1)
        folder = outbox.box.folder
        assert synced == [(folder / "1.eml").stat().st_ino, (folder / "1.json").stat().st_ino, folder.stat().st_ino]


def test_a_mail_server_that_is_killed_while_it_takes_a_mail_away_leaves_no_message_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box(tmp_path)
    for _ in range(2):
        draft = box.draft()
        draft.write_bytes(b"x")
        box.add(draft, Mail(0, 1.0, "a@b.de", (PERSON,), 1, ""), 1_000_000)
    unlink, removed = Path.unlink, count(1)

    def killed(file: Path, missing_ok: bool = False) -> None:
        if next(removed) == 2:
            raise KeyboardInterrupt
        unlink(file, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            box.remove(1)
    Box(tmp_path).forget_older(3600.0)
    assert list(tmp_path.iterdir()) == []


def test_a_box_that_was_taken_for_a_stray_is_made_again(tmp_path: Path) -> None:
    box = Box(tmp_path / "shop" / "new")
    forget_strays(tmp_path, frozenset(), 3600.0)
    assert not box.folder.exists()
    box.draft().write_bytes(b"x")


def test_what_is_old_goes_and_what_waits_stays(tmp_path: Path) -> None:
    box = Box(tmp_path / "shop" / "main")
    for at, state in ((time.time(), "kept"), (1.0, "kept"), (1.0, "waits")):
        draft = box.draft()
        draft.write_bytes(b"x")
        box.add(draft, Mail(0, at, "a@b.de", (PERSON,), 1, "", state), 1_000_000)
    box.forget_older(3600.0)
    assert [box.read(number) is not None for number in (1, 2, 3)] == [True, False, True]
    gone, live = tmp_path / "shop" / "gone", tmp_path / "shop" / "main"
    gone.mkdir()
    for folder in (gone, live):
        (folder / "9.eml").write_bytes(b"x")
        os.utime(folder / "9.eml", (1, 1))
    forget_strays(tmp_path, {"shop/main"}, 3600.0)
    assert (gone.exists(), (live / "9.eml").exists()) == (False, True)


def test_a_box_has_bounds_in_number_too(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    for number in range(MOST_MAILS + 5):
        draft = box.draft()
        draft.write_bytes(b"x")
        box.add(draft, Mail(0, float(number), "a@b.de", (PERSON,), 1, ""), 1_000_000)
    assert len(list((tmp_path / "box").iterdir())) == 2 * MOST_MAILS
    assert Box(tmp_path / "box").read(5) is None
    assert Box(tmp_path / "box").read(6) is not None


def test_what_the_mail_server_left_is_not_believed(tmp_path: Path) -> None:
    box = tmp_path / FOLDER / "shop" / "main"
    box.mkdir(parents=True)
    (tmp_path / "secret").write_text("root's")
    (box / "1.json").write_text('{"id": 1}')
    (box / "2.json").write_text("[" * 100_000)
    (box / "3.json").symlink_to(tmp_path / "secret")
    (box / "4.eml").symlink_to(tmp_path / "secret")
    assert read_box(tmp_path, "shop", "main") == []
    assert read_message(tmp_path, "shop", "main", 4) is None
    (tmp_path / FOLDER / "shop" / "linked").symlink_to(tmp_path)
    assert read_message(tmp_path, "shop", "linked", 4) is None


