"""No secret of ours in any text, and no text that takes long to look through."""

from __future__ import annotations

import base64
import time

from hypothesis import given
from hypothesis import strategies as st

from deployd.activity.masking import MASK, Masker
from deployd.activity.secret_forms import forms_of


@given(st.text(min_size=6, max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_is_left_in_any_text(secret: str, before: str, after: str) -> None:
    shown = Masker([secret]).mask(before + secret + after)
    assert MASK in shown
    assert secret not in shown.split(MASK)


@given(st.binary(min_size=12, max_size=80), st.binary(max_size=7), st.binary(max_size=7))
def test_no_secret_is_left_in_any_base64(raw: bytes, before: bytes, after: bytes) -> None:
    secret = raw.hex()
    text = base64.b64encode(before + secret.encode() + after).decode()
    shown = Masker([secret]).mask(text)
    assert MASK in shown
    assert len(shown) <= len(text) - len(secret)


@given(st.lists(st.text(min_size=1, max_size=30), max_size=5), st.text(max_size=200))
def test_a_text_without_a_secret_is_left_as_it_is(secrets: list[str], text: str) -> None:
    known = Masker(secrets)
    if not any(form[:8] in text for secret in secrets for form in forms_of(secret)):
        assert known.mask(text) == text or any(len(secret) >= 16 for secret in secrets)


def test_thousands_of_secrets_that_begin_alike_are_told_apart_and_do_not_add_up() -> None:
    """Each was compared at every place of a line at which they could begin: minutes, for a page of such lines."""
    begin = "https://user:"
    secrets = [f"{begin}{number:06d}@example.test/{number:06d}" for number in range(5_000)]
    masker = Masker(secrets)
    assert masker.mask(f"see {secrets[1234]} now") == "see *** now"
    assert masker.mask(f"see {secrets[4999][:24]} now") == "see *** now"
    began = time.monotonic()
    for _ in range(50):
        masker.mask("https://" * 2_000)
    assert time.monotonic() - began < 60, "it took five minutes"


def test_masking_takes_no_longer_with_many_secrets() -> None:
    masker = Masker(f"{number:06d}-secret" for number in range(20_000))
    assert masker.mask("x 019999-secret y 020000-secret") == "x *** y 020000-secret"
