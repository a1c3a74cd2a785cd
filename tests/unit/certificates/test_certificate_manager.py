"""Which hosts get certificates, when, how often somebody is asked, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deployd.certificates.authority import NotIssued
from deployd.certificates.certificate import Certificate, CertificateUnusable, new_key, parse_certificate
from deployd.certificates.hosts import https_hosts
from deployd.certificates.local import LocalAuthority
from deployd.certificates.manager import LOOK_SECONDS, MOST_ORDERS, CertificateManager
from deployd.certificates.renewal import LONGEST_PAUSE, covers, pause, renew_at, why_not_public
from deployd.certificates.storage import CertificateStore, Storage
from deployd.ids import ProjectId
from deployd.settings import OwnCertificate

pytestmark = pytest.mark.looptime
BASE = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 86_400
SHOP = ProjectId("shop")


class LoopClock:
    def now(self) -> datetime:
        try:
            return BASE + timedelta(seconds=asyncio.get_running_loop().time())
        except RuntimeError:   # in a thread
            return BASE


@dataclass
class AuthorityDouble:
    """Signs for 90 days, or refuses."""

    folder: Path
    refuses: Callable[[str], str] = lambda _: ""
    asked: list[tuple[str, float]] = field(default_factory=list)
    kind = "acme"

    def why_not(self, host: str) -> str:
        return why_not_public(host)

    async def issue(self, host: str) -> Certificate:
        self.asked.append((host, round(asyncio.get_running_loop().time())))
        if why := self.refuses(host):
            raise NotIssued(why)
        now = LoopClock().now()
        signed = await LocalAuthority(self.folder, LoopClock()).issue(host)
        return Certificate(signed.chain, signed.key, (host,), now, now + timedelta(days=90))


@dataclass
class Hosts:
    names: set[str]

    async def hosts(self) -> dict[str, ProjectId]:
        return dict.fromkeys(self.names, SHOP)


@dataclass
class RouterDouble:
    shown: dict[str, Certificate] = field(default_factory=dict)

    def show(self, certificates: dict[str, Certificate]) -> dict[str, str]:
        self.shown = dict(certificates)
        return {}


@dataclass
class World:
    folder: Path
    hosts: Hosts = field(default_factory=lambda: Hosts({"a.deployd.dev"}))
    router: RouterDouble = field(default_factory=RouterDouble)

    def __post_init__(self) -> None:
        self.authority = AuthorityDouble(self.folder / "signer")

    def manager(self, *own: OwnCertificate) -> CertificateManager:
        storage = Storage(CertificateStore(self.folder / "store"), self.router)  # type: ignore[arg-type]
        return CertificateManager(self.hosts, storage, LoopClock(), self.authority, own)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def keep(manager: CertificateManager, seconds: float, *, step: float = LOOK_SECONDS) -> None:
    """Go on for so long, with looks that lie `step` seconds apart."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        await manager.round()
        await asyncio.sleep(step)


async def test_a_host_is_asked_for_once_and_shown(world: World) -> None:
    manager = world.manager()
    await manager.lay_out()
    assert [(item.host, item.state) for item in manager.known()] == [("a.deployd.dev", "waits")]
    await keep(manager, 60)
    assert [host for host, _ in world.authority.asked] == ["a.deployd.dev"]
    assert list(world.router.shown) == ["a.deployd.dev"]
    [item] = manager.known()
    assert (item.kind, item.state, manager.troubles()) == ("acme", "valid", [])


async def test_what_was_issued_is_kept_over_a_restart(world: World) -> None:
    await keep(world.manager(), 10)
    again = world.manager()
    await again.lay_out()
    assert list(world.router.shown) == ["a.deployd.dev"], "shown before anybody is asked"


async def test_a_certificate_is_renewed_after_two_thirds_of_its_life_at_most(world: World) -> None:
    manager = world.manager()
    await keep(manager, 61 * DAY, step=DAY / 4)
    (_, first), (_, second) = world.authority.asked
    assert 55 * DAY <= second - first <= 60.5 * DAY


async def test_who_is_refused_asks_more_and_more_seldom_and_says_why(world: World) -> None:
    world.authority.refuses = lambda _: "no such name"
    manager = world.manager()
    await keep(manager, 3600)
    moments = [moment for _, moment in world.authority.asked]
    assert len(moments) == 4, "fewer than the five of Let's Encrypt"
    [item] = manager.known()
    assert (item.kind, item.state, item.why) == ("default", "refused", "no such name")
    assert manager.troubles() == ["a.deployd.dev has no certificate: no such name"]
    again = world.manager()
    await again.lay_out()
    await again.round()
    assert len(world.authority.asked) == 4, "a restart does not begin anew"
    world.authority.refuses = lambda _: ""
    await keep(again, 2 * 3600)
    assert again.troubles() == []


async def test_a_mistake_of_ours_does_not_use_up_the_authoritys_limits(world: World) -> None:
    world.hosts.names = {f"h{number}.deployd.dev" for number in range(MOST_ORDERS + 20)}
    manager = world.manager()
    await keep(manager, 1800, step=300)
    assert len(world.authority.asked) == MOST_ORDERS
    assert {item.why for item in manager.known() if item.state == "waits"} == {"50 were asked for within an hour"}
    await keep(manager, 3600, step=300)
    assert len(world.authority.asked) == MOST_ORDERS + 20


async def test_a_certificate_that_cannot_be_renewed_is_told_before_it_ends_and_not_shown_after(world: World) -> None:
    manager = world.manager()
    await keep(manager, 10)
    world.authority.refuses = lambda _: "closed for ever"
    await keep(manager, 88 * DAY, step=DAY)
    assert manager.troubles()[0].startswith("the certificate of a.deployd.dev ends at 2026-05-31")
    await asyncio.sleep(3 * DAY)
    assert manager.known()[0].state == "refused"


async def test_hosts_that_no_authority_signs_are_not_asked_for(world: World) -> None:
    world.hosts.names = {"main-shop.localhost", "*.deployd.dev", "192.0.2.1"}
    manager = world.manager()
    await keep(manager, 60)
    assert world.authority.asked == []
    assert all(item.state == "none" and item.why for item in manager.known())
    assert manager.troubles() == []


async def test_files_of_the_operator_win_and_are_read_again(world: World, tmp_path: Path) -> None:
    signed = await LocalAuthority(tmp_path / "own", LoopClock()).issue("*.deployd.dev")
    files = OwnCertificate(certificate=tmp_path / "own.pem", key=tmp_path / "own.key")
    manager = world.manager(files)
    await manager.lay_out()
    assert "cannot be read" in manager.troubles()[0]
    files.certificate.write_text(signed.chain)
    files.key.write_text(signed.key)
    await keep(manager, 10)
    assert world.router.shown["a.deployd.dev"].names == ("*.deployd.dev",)
    assert (manager.known()[0].kind, world.authority.asked, manager.troubles()) == ("own", [], [])
    files.key.write_text(new_key()[1])
    await keep(manager, 10)
    assert manager.troubles() == [f"{files.certificate}: the key is not the one of the certificate"]
    assert world.router.shown["a.deployd.dev"].key == signed.key, "the one of before goes on"


async def test_what_the_storage_cannot_read_is_asked_for_anew(world: World) -> None:
    await keep(world.manager(), 10)
    (world.folder / "store" / "a.deployd.dev.pem").write_text("half a certif")
    (world.folder / "store" / "notes.json").write_text("{")
    manager = world.manager()
    await manager.lay_out()
    await keep(manager, 10)
    assert len(world.authority.asked) == 2


async def test_a_full_disk_keeps_no_visitor_from_the_certificate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(CertificateStore, "keep", full)
    await keep(world.manager(), 10)
    assert list(world.router.shown) == ["a.deployd.dev"]


@pytest.mark.parametrize(("host", "why"), [
    ("shop.example.com", ""), ("xn--bcher-kva.example.com", ""), ("shop.localhost", "no public authority"),
    ("shop", "no public authority"), ("10.0.0.1", "an address"), ("fe80::1", "an address"),
    ("*.example.com", "a wildcard"), ("-a.example.com", "not a host name"), ("a_b.example.com", "not a host name"),
])
def test_who_can_prove_a_host(host: str, why: str) -> None:
    assert why in why_not_public(host) if why else why_not_public(host) == ""


def test_pauses_end_at_a_day() -> None:
    assert [pause(tries) / timedelta(minutes=1) for tries in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert pause(1000) == LONGEST_PAUSE


def test_hosts_are_not_renewed_all_at_once() -> None:
    certificate = Certificate("", "", (), BASE, BASE + timedelta(days=90))
    moments = {renew_at(certificate, f"h{number}.test") for number in range(100)}
    assert len(moments) == 100
    assert max(moments) - min(moments) < timedelta(days=5)
    assert max(moments) <= BASE + timedelta(days=60)


def test_a_wildcard_is_for_one_level() -> None:
    assert covers(("*.example.com",), "a.example.com")
    assert not covers(("*.example.com",), "a.b.example.com")
    assert not covers(("*.example.com",), "example.com")


def test_hosts_of_https_routes_are_wanted() -> None:
    assert https_hosts(("http://a.test/", "https://b.test:8443/x", "https://b.test/y")) == {"b.test"}


async def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    signed = await LocalAuthority(tmp_path, LoopClock()).issue("a.test")
    assert parse_certificate(signed.chain, signed.key).names == ("a.test",)
    for chain, key in ((signed.chain, new_key()[1]), ("nothing", signed.key), (signed.chain, "nothing")):
        with pytest.raises(CertificateUnusable):
            parse_certificate(chain, key)


async def test_an_authority_of_ones_own_is_made_once_and_signs_addresses_too(tmp_path: Path) -> None:
    first = LocalAuthority(tmp_path, LoopClock())
    signed = [await authority.issue(host) for authority, host in (
        (first, "a.test"), (LocalAuthority(tmp_path, LoopClock()), "127.0.0.1"))]
    authority = x509.load_pem_x509_certificate(first.certificate.read_bytes())
    for item in signed:
        x509.load_pem_x509_certificate(item.chain.encode()).verify_directly_issued_by(authority)
    assert signed[1].names == ("127.0.0.1",)
    assert (tmp_path / "authority.key").stat().st_mode & 0o777 == 0o600
