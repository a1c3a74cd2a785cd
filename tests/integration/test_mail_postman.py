"""The postman as the daemon starts him, on addresses of the loopback network, and an operator's relay beside him."""

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

from deployd.mail.box import MOST_LETTERS, Box, forget_strays
from deployd.mail.carrying import Carrier
from deployd.mail.letter import Letter
from deployd.mail.office import POSTMAN_UID, Employment, Office
from deployd.mail.place import MOST_CONNECTIONS, Place
from deployd.mail.round import Address, Relay, Round
from deployd.mail.seen import FOLDER, read_box, read_message
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
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str],
    ) -> str:
        if self.password and not session.authenticated:
            return "530 who are you?"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str],
    ) -> str:
        if address == UNKNOWN:
            return "550 no such user"
        if address == BUSY:
            return "451 later"
        envelope.rcpt_tos.append(address)
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
    told: Round
    office: Office = field(init=False)

    def __post_init__(self) -> None:
        self.office = Office(self.state / FOLDER, self.read)

    async def read(self) -> Round:
        return self.told

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stand]:
        serving = asyncio.create_task(self.office.serve())
        try:
            for address in self.told.addresses:
                await until(lambda at=address: self.answers(at))
            yield self
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    def answers(self, address: Address) -> bool:
        with suppress(OSError), self.client(address):
            return True
        return False

    def client(self, address: Address, source: str = "") -> smtplib.SMTP:
        """A program in a container of an environment."""
        own = source or address.gateway.removesuffix("1") + "7"
        return smtplib.SMTP(address.gateway, self.told.port, "container", LIMIT_SECONDS, (own, 0))

    def box(self, address: Address) -> list[Letter]:
        return read_box(self.state, address.project, address.environment)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, Round(free_port(), 1_000_000, 86_400.0, 0, (new_address("new"),)))


def new_address(environment: str, relay: Relay | None = None, **more: int) -> Address:
    values = {"box_bytes": 1_000_000, "per_minute": 10_000, **more}
    return Address("shop", environment, f"127.77.{next(NETWORKS)}.0/24", relay=relay, **values)


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
    mine, other = new_address("mine"), new_address("other")
    stand.told = replace(stand.told, addresses=(mine, other))
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
        assert (stand.state / FOLDER / "shop").stat().st_uid == POSTMAN_UID


async def test_commands_in_addresses_and_floods_are_refused(stand: Stand) -> None:
    [address] = stand.told.addresses
    async with stand.open():
        with stand.client(address) as client:
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
        open_ones = [stand.client(address) for _ in range(MOST_CONNECTIONS)]
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            stand.client(address)
        for client in open_ones:
            client.close()
    assert not list((stand.state / FOLDER).rglob(".draft*"))


async def test_an_environment_sends_so_many_in_a_minute_and_has_so_much_in_its_box(stand: Stand) -> None:
    hasty, small = new_address("hasty", per_minute=5), new_address("small", box_bytes=2_500)
    stand.told = replace(stand.told, port=25, addresses=(hasty, small))   # as without a firewall
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
    production = new_address("main", Relay("127.0.0.1", relay.port, tls=False, user="", password="", sender=""))
    preview = new_address("preview")
    stand.told = replace(stand.told, addresses=(production, preview))
    async with stand.open():
        for address in (production, preview):
            with stand.client(address) as client:
                send(client, PERSON, UNKNOWN, BUSY)
        await until(lambda: stand.office.troubles() != ())
        assert f"1 mails of shop/main wait for the relay 127.0.0.1:{relay.port}" in stand.office.troubles()[0]
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
            assert stand.office.troubles() == ()
            with stand.client(production) as client:
                assert send(client) == {}
                assert send(client, UNKNOWN) == {}
            await until(lambda: len(relay.taken) == 2)
            await until(lambda: [item.state for item in stand.box(production)] == ["refused", "waits"])
            assert [item.state for item in stand.box(preview)] == ["kept"]
    assert len(relay.taken) == 2


async def test_a_password_is_sent_over_tls_only_and_a_wrong_one_is_told(stand: Stand) -> None:
    relay = OperatorsRelay(free_port(), password="the-right-one")
    told = Relay("127.0.0.1", relay.port, tls=False, user="shop", password="the-right-one", sender="bounce@host.test")
    production = new_address("main", told)
    stand.told = replace(stand.told, addresses=(production,))
    with relay.open():
        async with stand.open():
            with stand.client(production) as client:
                send(client)
            await until(lambda: stand.office.troubles() != ())
            assert "STARTTLS" in stand.office.troubles()[0]
            stand.told = replace(stand.told, addresses=(replace(production, relay=replace(
                told, user="", password="")),))
            stand.office.wake()
            await until(lambda: "530" in "".join(stand.office.troubles()))
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
    store = Path(tempfile.mkdtemp(prefix="deployd-postman-"))   # pytest's own folder is closed to him
    store.chmod(0o755)
    (store / "trusted.crt").write_bytes(Path(f"{pem}.crt").read_bytes() if trusted else b"")
    monkeypatch.setenv("SSL_CERT_FILE", str(store / "trusted.crt"))
    told = Relay("127.0.0.1", relay.port, tls=True, user="shop", password="the-right-one", sender="bounce@host.test")
    production = new_address("main", told)
    stand.told = replace(stand.told, addresses=(production,))
    with relay.open(pem):
        async with stand.open():
            with stand.client(production) as client:
                send(client)
            await until(lambda: bool(relay.taken or stand.office.troubles()))
            if trusted:
                assert [(item.mail_from, item.rcpt_tos) for item in relay.taken] == [("bounce@host.test", [PERSON])]
            else:
                assert "certificate verify failed" in stand.office.troubles()[0]
                assert relay.taken == []
    (store / "trusted.crt").unlink()
    store.rmdir()


async def test_an_address_that_is_taken_is_told_and_tried_again(stand: Stand) -> None:
    [address] = stand.told.addresses
    with socket.socket() as other:
        other.bind((address.gateway, stand.told.port))
        other.listen()
        serving = asyncio.create_task(stand.office.serve())
        try:
            await until(lambda: stand.office.troubles() != ())
            assert "cannot take mails of shop/new" in stand.office.troubles()[0]
            other.close()
            await until(lambda: stand.office.troubles() == () and stand.answers(address))
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


async def test_a_box_that_cannot_be_had_is_tried_again(stand: Stand) -> None:
    [address] = stand.told.addresses
    (stand.state / FOLDER / "shop").mkdir(parents=True)
    (stand.state / FOLDER / "shop" / "new").write_text("in the way")
    (stand.state / FOLDER / "shop").chmod(0o777)
    serving = asyncio.create_task(stand.office.serve())
    try:
        await until(lambda: stand.office.troubles() != ())
        assert "cannot have a box for shop/new" in stand.office.troubles()[0]
        (stand.state / FOLDER / "shop" / "new").unlink()
        await until(lambda: stand.office.troubles() == () and stand.answers(address))
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def test_a_reload_changes_the_port_and_forgets_no_trouble(stand: Stand) -> None:
    [address] = stand.told.addresses
    taken = new_address("taken")
    stand.told = replace(stand.told, addresses=(address, taken))
    employment = Employment()
    with socket.socket() as other, socket.socket() as more:
        other.bind((taken.gateway, stand.told.port))
        other.listen()
        try:
            for port in (stand.told.port, stand.told.port, free_port()):
                stand.told = replace(stand.told, port=port)
                if port != other.getsockname()[1]:
                    more.bind((taken.gateway, port))
                    more.listen()
                office = Office(stand.state / FOLDER, stand.read, employment=employment)
                serving = asyncio.create_task(office.serve())
                try:
                    await until(lambda office=office: office.troubles() != () and stand.answers(address))
                    assert f"cannot take mails of shop/taken at {taken.gateway}:{port}" in office.troubles()[0]
                finally:
                    serving.cancel()
                    with suppress(asyncio.CancelledError):
                        await serving
        finally:
            await employment.end()


async def test_a_mail_that_cannot_be_read_now_is_not_taken_away(tmp_path: Path) -> None:
    address = new_address("main", Relay("127.0.0.1", free_port(), False, "", "", ""))
    with chdir(tmp_path):
        place = Place(address, Round(25, 1_000, 86_400.0, 0, (address,)))
    box = place.box = Box(tmp_path / "box")
    draft = box.draft()
    draft.write_bytes(b"x")
    box.add(draft, Letter(0, time.time(), "a@b.de", (PERSON,), 1, "", "waits"), 1_000_000)
    message = tmp_path / "box" / "1.eml"
    message.rename(tmp_path / "moved")
    message.mkdir()   # as good as a disk that gives an error
    told = asyncio.Event()
    carrier = Carrier(place, asyncio.Semaphore(1), told.set)
    carrying = asyncio.create_task(carrier.serve())
    async with asyncio.timeout(LIMIT_SECONDS):
        await told.wait()
    carrying.cancel()
    with suppress(asyncio.CancelledError):
        await carrying
    assert "cannot be handed over" in carrier.trouble
    assert box.read(1) is not None
    assert box.waiting == 1


async def test_a_mail_that_was_taken_is_on_the_disk_with_its_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = new_address("main")
    with chdir(tmp_path):
        place = Place(address, Round(25, 1_000, 86_400.0, 0, (address,)))
        synced: list[int] = []
        monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
        draft = place.box.draft()
        draft.write_bytes(b"x")
        await place.take(draft, "a@b.de", (PERSON,), 1)
        folder = place.box.folder
        assert synced == [(folder / "1.eml").stat().st_ino, (folder / "1.json").stat().st_ino, folder.stat().st_ino]


def test_a_postman_who_is_killed_while_he_takes_a_mail_away_leaves_no_message_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box(tmp_path)
    for _ in range(2):
        draft = box.draft()
        draft.write_bytes(b"x")
        box.add(draft, Letter(0, 1.0, "a@b.de", (PERSON,), 1, ""), 1_000_000)
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
        box.add(draft, Letter(0, at, "a@b.de", (PERSON,), 1, "", state), 1_000_000)
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
    for number in range(MOST_LETTERS + 5):
        draft = box.draft()
        draft.write_bytes(b"x")
        box.add(draft, Letter(0, float(number), "a@b.de", (PERSON,), 1, ""), 1_000_000)
    assert len(list((tmp_path / "box").iterdir())) == 2 * MOST_LETTERS
    assert Box(tmp_path / "box").read(5) is None
    assert Box(tmp_path / "box").read(6) is not None


def test_what_the_postman_left_is_not_believed(tmp_path: Path) -> None:
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


