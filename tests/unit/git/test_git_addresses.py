"""Addresses of remotes: what is shown, what is an argument, what travels hidden."""

from __future__ import annotations

from base64 import b64decode

import pytest

from deployd.git.mirror import without_user
from deployd.git.remote import _split_secret


@pytest.mark.parametrize(("url", "shown"), [
    ("https://github.com/acme/shop.git", "https://github.com/acme/shop.git"),
    ("https://ada:pass@git.example:8443/shop.git", "https://git.example:8443/shop.git"),
    ("https://ada:p%40ss@git.example/shop.git?x=1", "https://git.example/shop.git?x=1"),
    ("ssh://git@git.example/shop.git", "ssh://git.example/shop.git"),
    ("git@git.example:shop.git", "git@git.example:shop.git"),
    ("/srv/shop.git", "/srv/shop.git"),
    ("", ""),
])
def test_an_address_is_shown_without_its_user(url: str, shown: str) -> None:
    assert without_user(url) == shown


@pytest.mark.parametrize(("url", "token", "said"), [
    ("https://git.example/shop.git", "t0ken", "x-access-token:t0ken"),
    ("https://ada@git.example/shop.git", "t0ken", "ada:t0ken"),
    ("https://ada:p%40ss@git.example/shop.git", None, "ada:p@ss"),
    ("https://ada:old@git.example/shop.git", "new", "ada:new"),
    ("https://:t0ken@git.example/shop.git", None, "x-access-token:t0ken"),
])
def test_a_password_becomes_a_header_for_that_address_alone(url: str, token: str | None, said: str) -> None:
    address, environment = _split_secret(url, token)
    assert address == "https://git.example/shop.git"
    assert environment["GIT_CONFIG_KEY_0"] == f"http.{address}.extraHeader"
    scheme, _, encoded = environment["GIT_CONFIG_VALUE_0"].partition("Basic ")
    assert scheme == "Authorization: "
    assert b64decode(encoded).decode() == said


@pytest.mark.parametrize("url", ["git@git.example:shop.git", "ssh://git@git.example/shop.git", "/srv/shop.git"])
def test_other_addresses_stay_as_they_are(url: str) -> None:
    assert _split_secret(url, "t0ken") == (url, {})


def test_without_a_password_nothing_is_added() -> None:
    assert _split_secret("https://git.example/shop.git", None) == ("https://git.example/shop.git", {})
