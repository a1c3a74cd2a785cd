"""Which token an Authorization header holds."""

from __future__ import annotations

from base64 import b64encode

import pytest
from pydantic import SecretStr

from deployd.access.tokens import find_token
from deployd.settings import Token

ADA = Token(name="ada", secret=SecretStr("pass:with:colons"))
EVE = Token(name="eve", secret=SecretStr("schlüssel"))


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(("header", "name"), [
    (basic("anybody:pass:with:colons"), "ada"),
    (basic(":pass:with:colons"), "ada"),
    (basic("eve:schlüssel"), "eve"),
    ("bearer pass:with:colons", "ada"),
    ("Bearer  schlüssel ", "eve"),
])
def test_the_secret_is_the_password_or_the_bearer(header: str, name: str) -> None:
    found = find_token((ADA, EVE), header)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("header", [
    None, "", "Basic", "Basic ", "Basic x", "Basic /////w==", basic("pass:with:colons"), basic("ada:"), basic("ada"),
    "Bearer", "Bearer ", "Bearer pass", "Bearer \udcff", "Digest pass:with:colons", basic("ada:pass:with:colons:"),
])
def test_everything_else_is_nobody(header: str | None) -> None:
    assert find_token((ADA, EVE), header) is None


def test_an_empty_secret_opens_nothing() -> None:
    nobody = Token(name="nobody", secret=SecretStr(""))
    for header in ("Bearer ", basic("x:"), basic(":")):
        assert find_token((nobody,), header) is None


def test_without_tokens_nobody_is_known() -> None:
    assert find_token((), basic("ada:pass:with:colons")) is None
