"""What hosts show until they have a certificate that visitors know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from deployd.certificates.interim import AWAITED, InterimCertificates
from deployd.certificates.local import HOST_DAYS, LocalAuthority


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def interim_of(folder: Path) -> tuple[InterimCertificates, Clock]:
    clock = Clock()
    return InterimCertificates(LocalAuthority(folder, clock), clock), clock


def test_each_host_has_one_in_its_name_that_stays_until_it_is_old(tmp_path: Path) -> None:
    interim, clock = interim_of(tmp_path)
    first = interim.of({"a.example", "*.b.example"})
    assert first["*.b.example"].names == ("*.b.example",)
    assert interim.of({"a.example"})["a.example"] == first["a.example"]
    clock.at += timedelta(days=HOST_DAYS - 10)
    assert interim.of({"a.example"})["a.example"].ends > first["a.example"].ends


def test_they_are_signed_by_the_authority_that_containers_trust(tmp_path: Path) -> None:
    interim, _ = interim_of(tmp_path)
    shown = interim.of({"a.example"})["a.example"]
    authority = x509.load_pem_x509_certificate((tmp_path / "authority.pem").read_bytes())
    x509.load_pem_x509_certificate(shown.text.encode()).verify_directly_issued_by(authority)


def test_a_name_that_no_certificate_has_takes_nothing_from_the_others(tmp_path: Path) -> None:
    interim, _ = interim_of(tmp_path)
    assert set(interim.of({"a.example", "bücher.example"})) == {"a.example"}


async def test_hosts_of_a_deployment_are_shown_before_they_are_live(tmp_path: Path) -> None:
    interim, clock = interim_of(tmp_path)
    shown: list[frozenset[str]] = []

    async def show() -> None:
        shown.append(interim.awaited())

    await interim.prepare({"early.example"})   # nobody shows anything yet
    interim.shown_by(show)
    await interim.prepare({"a.example"})
    assert shown == [frozenset({"early.example", "a.example"})]
    clock.at += AWAITED
    assert interim.awaited() == frozenset()
