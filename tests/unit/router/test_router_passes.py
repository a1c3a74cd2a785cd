"""Links for operators, and the key that signs them."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployd.router.passes import ensure_pass_key, pass_link

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(("url", "begins"), [
    ("https://shop.test/", "https://shop.test/.well-known/deployd/pass?"),
    ("http://shop.test:8080/blog/", "http://shop.test:8080/.well-known/deployd/pass?"),
])
def test_a_link_leads_to_the_host_and_is_signed_for_ten_minutes(url: str, begins: str) -> None:
    link = pass_link(b"key", "shop/main", url, NOW)
    assert link.startswith(begins)
    ends, signed = link.removeprefix(begins).split(".")
    assert int(ends) == NOW.timestamp() + 600
    assert signed == hmac.new(b"key", f"link\nshop/main\n{ends}".encode(), hashlib.sha256).hexdigest()


def test_the_key_is_random_kept_and_for_root_only(tmp_path: Path) -> None:
    one, other = tmp_path / "one.key", tmp_path / "other.key"
    for file in (one, other):
        ensure_pass_key(file)
    key = one.read_bytes()
    assert len(key) == 32
    assert key != other.read_bytes()
    assert one.stat().st_mode & 0o777 == 0o600
    ensure_pass_key(one)
    assert one.read_bytes() == key
    one.write_bytes(b"")   # a power cut
    ensure_pass_key(one)
    assert len(one.read_bytes()) == 32
