"""Who is known: by tokens of the settings and of persons, by keys; and who is not any more."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployd.access.caller import Caller
from deployd.access.directory import Directory
from deployd.access.people import (
    People,
    Person,
    PersonalToken,
    PublicKey,
    PublicKeyUnusable,
    digest_of,
    fingerprint,
    make_secret,
    read_key,
    rsa_bits,
)
from deployd.access.roles import EVERY, Role
from deployd.settings import Token

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32
ANNA = Person(id="anna", name="Anna", roles={EVERY: Role.VIEWER, "shop": Role.ADMIN}, since=NOW)
LAPTOP = PersonalToken(number=1, person="anna", label="laptop", digest=digest_of("deployd_a"), role=Role.ADMIN,
                       since=NOW, ends=NOW + timedelta(days=1))
CI = PersonalToken(number=2, person="anna", label="ci", digest=digest_of("deployd_b"), role=Role.CONTRIBUTOR,
                   projects=("shop",), since=NOW, ends=None)
KEY = PublicKey(number=1, person="anna", label="laptop", blob=BLOB, since=NOW)


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment


def directory(people: People = People((ANNA,), (LAPTOP, CI), (KEY,)), clock: Clock | None = None) -> Directory:  # noqa: B008
    made = Directory([Token.model_validate({"name": "robot", "role": "viewer", "secret": "secret-of-robot"})],
                     (clock or Clock()).now)
    made.replace(people)
    return made


def test_a_person_is_known_by_each_token_with_what_that_one_may() -> None:
    known = directory()
    assert known.by_header("Bearer deployd_a") == Caller("anna", ANNA.roles, "laptop", "anna")
    basic = base64.b64encode(b"whoever:deployd_b").decode()
    assert known.by_header(f"Basic {basic}") == Caller(
        "anna", {"shop": Role.CONTRIBUTOR}, "ci", "anna", Role.CONTRIBUTOR, ("shop",),
    )
    assert known.by_header("Bearer secret-of-robot") == Caller("robot", {EVERY: Role.VIEWER})
    for shown in (None, "", "Bearer ", "Bearer deployd_c", f"Bearer {digest_of('deployd_a')}", "Bearer anna"):
        assert known.by_header(shown) is None


def test_a_token_that_ran_out_is_nobodys() -> None:
    clock = Clock()
    known = directory(clock=clock)
    clock.moment = NOW + timedelta(days=1)
    assert known.by_header("Bearer deployd_a") is None
    assert known.by_id("person:1") is None
    assert known.by_header("Bearer deployd_b") is not None


@pytest.mark.parametrize("people", [
    People((replace(ANNA, left=NOW),), (LAPTOP, CI), (KEY,)), People((), (LAPTOP, CI), (KEY,)), People((ANNA,)),
])
def test_who_left_or_has_nothing_any_more_is_nobody(people: People) -> None:
    known = directory(people)
    assert known.by_header("Bearer deployd_a") is None
    assert known.by_key(BLOB) is None
    assert not known.knows_key(BLOB)
    assert known.by_id("person:1") is None


def test_a_key_does_all_that_its_owner_may() -> None:
    known = directory()
    assert known.by_key(BLOB) == Caller("anna", ANNA.roles, "laptop", "anna")
    assert known.knows_key(BLOB)
    assert known.by_key(BLOB + b"x") is None


def test_what_a_session_names_is_found_again_and_nothing_else() -> None:
    known = directory()
    assert [found.caller.name if (found := known.by_id(name)) else None for name in ("person:1", "robot")] == [
        "anna", "robot"]
    for name in ("", "person:", "person:9", "person:1x", "person:-1", "anna", "1", "person:²"):
        assert known.by_id(name) is None


def test_uses_are_told_once_with_where() -> None:
    known = directory()
    known.by_secret("deployd_a", "192.0.2.7")
    known.by_secret("deployd_a")
    known.by_key(BLOB, "192.0.2.8")
    assert known.take_uses() == {("token", 1): (NOW, "192.0.2.7"), ("key", 1): (NOW, "192.0.2.8")}
    assert known.take_uses() == {}


def test_secrets_are_long_and_never_the_same() -> None:
    made = {make_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(secret.startswith("deployd_") and len(secret) == 51 for secret in made)


@pytest.mark.parametrize("arguments", [("ed25519",), ("ecdsa", "-b", "384"), ("rsa", "-b", "3072")])
def test_keys_are_read_as_ssh_keygen_writes_them(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    line = keygen(tmp_path, *arguments)
    blob, comment = read_key(line)
    assert comment == "anna@laptop"
    told = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert told.stdout.split()[1] == fingerprint(blob)
    if arguments[0] == "rsa":
        assert rsa_bits(blob) == 3072


def test_a_short_rsa_key_and_a_private_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PublicKeyUnusable, match="an RSA key of 2048 bits is too short"):
        read_key(keygen(tmp_path, "rsa", "-b", "2048"))
    with pytest.raises(PublicKeyUnusable, match="this is a private key"):
        read_key((tmp_path / "key").read_text())


@pytest.mark.parametrize(("bits", "taken"), [(16_384, True), (18_432, False), (400_000, False)])
def test_a_key_is_no_longer_than_anybody_looks_at(bits: int, taken: bool) -> None:
    fields = (b"ssh-rsa", b"\x01\x00\x01", b"\0" + b"\xff" * (bits // 8))
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    line = f"ssh-rsa {base64.b64encode(blob).decode()}"
    if taken:
        assert read_key(line) == (blob, "")
    else:
        with pytest.raises(PublicKeyUnusable, match="this public key is too long"):
            read_key(line)


@pytest.mark.parametrize("line", [
    "", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M=", "ssh-ed25519 \N{SNOWMAN}", "x" * 20_000,
    "ssh-rsa " + base64.b64encode(BLOB).decode(), "command=\"sh\" ssh-ed25519 " + base64.b64encode(BLOB).decode(),
    "ssh-ed25519 " + base64.b64encode(BLOB).decode() + "\nssh-ed25519 " + base64.b64encode(BLOB).decode(),
    "ssh-ed25519-cert-v01@openssh.com AAAA",
])
def test_what_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(PublicKeyUnusable):
        read_key(line)


def keygen(folder: Path, kind: str, *more: str) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-C", "anna@laptop", "-f", folder / "key"],
                   check=True)
    return (folder / "key.pub").read_text()


def test_a_person_who_is_called_like_a_token_of_the_settings_is_let_in_by_nothing() -> None:
    """The token came after them: each could end the sessions of the other, and be taken for the other in the logs."""
    anna = Token.model_validate({"name": "anna", "role": "viewer", "secret": "secret-of-another"})
    known = Directory([anna], Clock().now)
    known.replace(People((ANNA,), (LAPTOP, CI), (KEY,)))
    assert known.doubled == ["anna"]
    assert known.by_header("Bearer deployd_a") is None
    assert known.by_id("person:1") is None
    assert known.by_key(KEY.blob) is None
    assert known.by_header("Bearer secret-of-another") == Caller("anna", {EVERY: Role.VIEWER})
    assert directory().doubled == []
