"""What is decided of mails without a network: whose relay, what becomes of one, what a box and a person see of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from deployd.cli.mail import lines_of
from deployd.daemon.mail import configuration_of
from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.mail.configuration import Relay, parse_configuration, write_configuration
from deployd.mail.mail import Mail, parse_note, subject_of, write_note
from deployd.mail.relay import GIVE_UP_SECONDS, Delivery, after_delivery, pause_seconds
from deployd.settings import MailSettings, Settings, parse_relay
from tests.doubles.api import MAIL

QUEUED = Mail(3, 1000.0, "a@shop.test", ("b@c.test", "d@e.test"), 17, "Hello", "waits")


def settings(**more: Any) -> Settings:
    return Settings.model_validate({"projects": {"shop": {}, "blog": {}}, **more})


def relays(found: Settings) -> dict[str, Relay | None]:
    rows = [
        (EnvironmentId(ProjectId(project), EnvironmentName(branch)), branch, "10.208.0.0/26")
        for project in ("shop", "blog", "gone") for branch in ("main", "preview")
    ]
    return {address.name: address.relay for address in configuration_of(found, rows).environments}


def test_no_environment_but_production_has_a_relay_and_production_only_its_own() -> None:
    own = {"mail": {"relay": "smtp://relay.blog.test", "sender": "bounce@blog.test"}}
    found = relays(settings(
        mail={"relay": "smtps://shop@relay.test", "password": "the-password"},
        projects={"shop": {}, "blog": own},
    ))
    assert found == {
        "shop/main": Relay("relay.test", 465, True, "shop", "the-password", ""), "shop/preview": None,
        "blog/main": Relay("relay.blog.test", 587, False, "", "", "bounce@blog.test"), "blog/preview": None,
    }
    assert set(relays(settings()).values()) == {None}
    without = settings(mail={"relay": "smtp://relay.test"}, projects={"shop": {"mail": {}}, "blog": {}})
    assert relays(without)["shop/main"] is None


@pytest.mark.parametrize("wrong", [
    {"relay": "http://relay.test"}, {"relay": "relay.test:25"}, {"relay": "smtp://"}, {"relay": "smtp://relay.test:x"},
    {"relay": "smtp://relay.test/path"}, {"relay": "smtps://user:password@relay.test", "password": "x"},
    {"password": "alone"}, {"relay": "smtps://user@relay.test"}, {"sender": "a@b.test\r\nRCPT TO:<c@d.test>"},
    {"sender": "nobody"}, {"port": 25}, {"keep_days": 0},
])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MailSettings.model_validate(wrong)


def test_the_password_of_a_relay_is_a_secret() -> None:
    shop = {"mail": {"relay": "smtps://a%40b@relay.test", "password": "of-the-project"}}
    found = settings(mail={"relay": "smtps://u@relay.test", "password": "of-all"}, projects={"shop": shop})
    assert {"of-all", "of-the-project"} <= set(found.secrets())
    assert "of-all" not in repr(found)
    assert parse_relay("smtps://a%40b@relay.test").user == "a@b"


def test_what_the_daemon_tells_arrives() -> None:
    told = configuration_of(settings(mail={"relay": "smtp://relay.test"}), [
        (EnvironmentId(ProjectId("shop"), EnvironmentName("main-x")), "main", "10.208.0.64/26"),
    ])
    assert parse_configuration(write_configuration(told)) == told
    [address] = told.environments
    assert address.gateway == "10.208.0.65"
    assert [address.is_home_of(peer) for peer in ("10.208.0.127", "10.208.0.128", "::1", "x")] == [
        True, False, False, False]


def test_without_a_firewall_nobody_leads_port_25_to_another_one() -> None:
    assert settings().smtp_port == 8425
    assert settings(containers={"firewall": "none"}).smtp_port == 25


@pytest.mark.parametrize(("delivery", "passed", "state", "again_in"), [
    (Delivery(("d@e.test",), "451 later"), 0.0, "waits", 60.0),
    (Delivery(QUEUED.recipients, "no\r\nroute", is_relays=True), 0.0, "waits", 60.0),
    (Delivery(("d@e.test",), "550 no such user", for_ever=True), 0.0, "refused", None),
    (Delivery(("d@e.test",), "451 later"), GIVE_UP_SECONDS + 1, "refused", None),
])
def test_what_a_relay_does_not_take_waits_or_is_given_up(
    delivery: Delivery, passed: float, state: str, again_in: float | None,
) -> None:
    now = QUEUED.at + passed
    kept = after_delivery(QUEUED, delivery, now)
    assert kept is not None
    assert (kept.state, kept.recipients, kept.tries) == (state, delivery.left, 1)
    assert kept.again_at == (now + again_in if again_in else 0.0)
    assert "\n" not in kept.why


def test_what_everybody_has_got_is_gone_and_pauses_grow_to_an_hour() -> None:
    assert after_delivery(QUEUED, Delivery(), 0.0) is None
    assert [pause_seconds(tries) for tries in (1, 2, 3, 7, 1000)] == [60, 120, 240, 3600, 3600]


@pytest.mark.parametrize(("head", "subject"), [
    (b"From: a\r\nSubject: plain\r\n\r\nSubject: body", "plain"), (b"\r\nSubject: of the body", ""),
    (b"subject:\tfolded\r\n over\r\n\ttwo\r\nTo: x\r\n\r\n", "folded over two"),
    (b"Subject: =?utf-8?b?R3LDvMOfZQ==?= =?iso-8859-1?q?=E4?=\n\n", "Gr\u00fc\u00dfe\u00e4"),
    (b"Subject: =?nonsense?q?x?=\n\n", "=?nonsense?q?x?="), (b"Subject: =?utf-8?b?%%%?=\n\n", ""),
    (b"Subject: \xff\xfe\x00\n\n", "\ufffd\ufffd\x00"), (b"Subject: " + b"x" * 100_000, "x" * 200), (b"", ""),
    (b"Subject: half =?utf-7?q?+2AA-?=\n\n", "half ?"),
])
def test_the_subject_is_what_people_read(head: bytes, subject: str) -> None:
    assert subject_of(head) == subject


@pytest.mark.parametrize("note", [
    b"", b"{}", b"[" * 50_000, b'{"id": 1}', write_note(QUEUED).replace(b"waits", b"gone"),
    write_note(QUEUED).replace(b'"b@c.test"', b"17"), write_note(QUEUED).replace(b"1000.0", b"Infinity"),
    write_note(QUEUED).replace(b"Hello", b"\\ud800"),
])
def test_a_note_that_is_none_of_ours_is_passed_over(note: bytes) -> None:
    found = parse_note(note)
    assert found is None or found.at == float("inf")
    assert parse_note(write_note(QUEUED)) == QUEUED


def test_people_read_headers_text_and_what_else_is_in_a_mail() -> None:
    assert lines_of(MAIL) == ["From: a@shop.test", "Subject: Gr\u00fc\u00dfe", "", "Es gr\u00fc\u00dft", "der Laden"]
    two = (b"Subject: s\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain;"
           b" charset=nonsense\r\n\r\nna\xefve\r\n--x\r\nContent-Type: image/png\r\nContent-Disposition: attachment;"
           b" filename=a.png\r\n\r\nPNG\r\n--x--\r\n")
    assert lines_of(two) == ["Subject: s", "", "na\ufffdve", "", "[image/png a.png]"]
    assert lines_of(b"\xff\x00 no mail at all") == ["", "\ufffd\x00 no mail at all"]
    halves = b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/plain; charset=utf-7\r\n\r\nx +2AA- y\r\n"
    assert lines_of(halves) == halves.decode().splitlines()
    assert lines_of(halves.partition(b"\n")[2]) == ["", "x ? y"]
