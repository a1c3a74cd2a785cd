"""Cookies of sessions, and what is derived from them."""

from __future__ import annotations

import pytest

from deployd.access.cookies import cookie_of, csrf_word, is_csrf_word, make_cookie, proof_of, session_id


def test_cookies_are_random_and_what_is_derived_tells_nothing_of_them() -> None:
    one, two = make_cookie(), make_cookie()
    assert one != two
    derived = {session_id(one), proof_of(one, "secret"), csrf_word(one), session_id(two), proof_of(two, "secret")}
    assert len(derived) == 5
    assert not any(one in text or two in text for text in derived)
    assert proof_of(one, "secret") != proof_of(one, "another")


@pytest.mark.parametrize("sent", ["", "x", "a" * 44, "a" * 42 + "\n", "../" + "a" * 40, "é" * 43])
def test_what_is_no_cookie_of_ours_is_none(sent: str) -> None:
    assert cookie_of({"deployd": sent}) == ""


def test_the_cookie_of_tls_goes_first() -> None:
    one, two = make_cookie(), make_cookie()
    assert cookie_of({"deployd": one, "__Host-deployd": two}) == two
    assert cookie_of({"deployd": one}) == one
    assert cookie_of({}) == ""


def test_a_form_of_another_session_or_none_is_refused() -> None:
    one, two = make_cookie(), make_cookie()
    words = {csrf_word(one) for _ in range(50)}
    assert len(words) == 50, "of one that stands in all compressed pages their lengths would tell"
    assert all(is_csrf_word(one, word) for word in words)
    assert all(len({word[place:place + 4] for word in words}) > 40 for place in range(0, 128, 4))
    assert not any(is_csrf_word(cookie, word) for cookie, word in (
        (one, csrf_word(two)), (one, ""), ("", csrf_word("")), (one, csrf_word(one)[:-1]), (one, "\udcff"),
    ))
