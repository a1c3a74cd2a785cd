"""No secret of ours in a log, however a program writes it, and wherever a line is cut."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest

from deployd.activity.masking import MASK, PIECE_AT_AN_END, Masker
from deployd.activity.secret_forms import forms_of, is_maskable

SECRET = "pa$$ \"w'ord/+&=<é>\\nü-0123456789abcdef"
PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(
    base64.b64encode(bytes(range(n, n + 48))).decode() for n in range(0, 160, 16)
) + "\n-----END PRIVATE KEY-----\n"

WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "within a word": lambda text: f"x{text}y",
    "JSON": json.dumps,
    "JSON with its letters": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON as PHP writes it": lambda text: json.dumps(text).replace("/", "\\/"),
    "within JSON": lambda text: json.dumps({"a": [text, 1]}),
    "repr": repr,
    "repr within a list": lambda text: repr([text]),
    "shell": shlex.quote,
    "shell by backslash": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "HTML": html.escape,
    "URL": lambda text: quote(text, safe=""),
    "URL path": quote,
    "query": lambda text: urlencode({"key": text}),
    "query by plus": quote_plus,
    "URL in lower case": lambda text: re.sub("%..", lambda m: m[0].lower(), quote(text, safe="")),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one byte": lambda text: base64.b64encode(b":" + text.encode()).decode(),
    "base64 after two bytes": lambda text: base64.b64encode(b"u:" + text.encode() + b";").decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 for URLs in more": lambda text: base64.urlsafe_b64encode(b"ab" + text.encode() + b"c").decode(),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps({"p": text}).encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "in colours": lambda text: f"\x1b[31m{text[:9]}\x1b[0m{text[9:]}",
}
TELLS_ALL = re.compile("[0-9A-Za-z+/_%-]{12}")


@pytest.mark.parametrize("name", WRITTEN)
def test_a_secret_is_masked_however_it_is_written(name: str) -> None:
    masker = Masker([SECRET])
    shown = masker.clean(f"connecting with {WRITTEN[name](SECRET)} now")
    assert MASK in shown
    assert "connecting with " in shown
    assert shown.endswith(" now")
    assert not TELLS_ALL.search(shown.removeprefix("connecting with ")), shown


@pytest.mark.parametrize("cut", range(PIECE_AT_AN_END, 48 - PIECE_AT_AN_END + 1))
def test_a_secret_that_a_line_end_cuts_in_two_is_masked_in_both(cut: int) -> None:
    secret = "k3J9xQ2mZ7vB5nL1wR8tY4pC6sD0fG2hA9eU3iO7qW5zX1cV"
    masker = Masker([secret])
    for line in (f"padding {secret[:cut]}", f"padding {secret[:cut]} […]", f"{secret[cut:]} and on"):
        shown = masker.mask(line)
        assert MASK in shown
        assert secret[:cut] not in shown
        assert secret[cut:] not in shown


@pytest.mark.parametrize("width", [16, 20, 40, 64, 76])
@pytest.mark.parametrize("write", [str, lambda text: base64.b64encode(text.encode()).decode()])
def test_a_long_secret_is_masked_in_lines_of_any_width(write: Callable[[str], str], width: int) -> None:
    secret = "".join(f"{n * 7919 % 99991:05d}" for n in range(60))
    text = write(secret)
    masker = Masker([secret])
    lines = [text[at:at + width] for at in range(0, len(text), width)]
    shown = [masker.mask(line) for line in lines[:-1]]
    assert all(len(line.replace(MASK, "")) <= 2 for line in shown), shown


@pytest.mark.parametrize("write", [str, "  {}".format, lambda line: base64.b64encode(line.encode()).decode()])
def test_each_line_of_a_key_is_masked(write: Callable[[str], str]) -> None:
    masker = Masker([PEM])
    body = PEM.splitlines()[1:-1]
    assert {masker.mask(write(line)).strip(" =") for line in body} == {MASK}
    assert masker.mask(json.dumps(PEM)) == f'"{MASK}"'


@pytest.mark.parametrize("value", [
    {"user": "u", "deep": [{"password": "very-secret-1"}]}, '{"deep": {"password": "very-secret-1"}}',
    ["very-secret-1"], {"outer": json.dumps({"inner": "very-secret-1"})}, "a=1\npassword=x\n\nvery-secret-1\n",
])
def test_parts_of_a_value_are_masked_on_their_own(value: object) -> None:
    assert Masker([value]).mask("it is very-secret-1.") == f"it is {MASK}."   # type: ignore[list-item]


def test_what_only_begins_like_a_secret_is_left() -> None:
    masker = Masker(["postgresql://ada:k3J9xQ2mZ7vB5nL1@database.internal/main"])
    for line in ("postgresql-client is installed", "see https://www.postgresql.org/", "ada: hello", "main", ""):
        assert masker.mask(line) == line


def test_a_number_that_is_secret_is_masked() -> None:
    assert Masker([123456789]).mask("pin=123456789") == f"pin={MASK}"


@pytest.mark.parametrize(("value", "can"), [
    ("12345", False), ("123456", True), (True, False), (None, False), ("", False),
])
def test_short_values_are_known_not_to_be_maskable(value: object, can: bool) -> None:
    assert is_maskable(value) is can   # type: ignore[arg-type]
    assert bool(forms_of(value)) is can   # type: ignore[arg-type]


def test_what_is_learnt_later_is_masked_too() -> None:
    masker = Masker()
    assert masker.mask("sesame-open") == "sesame-open"
    masker.learn(["sesame-open"])
    assert masker.mask("sesame-open") == MASK
    masker.learn([f"number-{n:06d}" for n in range(3000)])
    assert masker.mask("sesame-open number-002999 number-000000") == f"{MASK} {MASK} {MASK}"


def test_halves_of_characters_in_a_line_harm_nothing() -> None:
    assert Masker(["geheim-123"]).mask("\udcff geheim-123 \ud800") == f"\udcff {MASK} \ud800"


def test_a_short_secret_that_is_the_beginning_of_another_is_masked_as_a_whole() -> None:
    masker = Masker(["abcdefgh1", "abcdefgh1-and-much-more-of-it"])
    assert masker.mask("is abcdefgh1, and abcdefgh1-and-").startswith("is ***, and ***")


def test_many_lines_are_cleaned_as_each_is() -> None:
    dice = random.Random(3)
    secrets = ["shrt", "a\nmulti-line\nsecret-value", *(f"secret-number-{n}-{n ** 9}" for n in range(30))]
    masker = Masker(secrets)
    pieces = [*secrets, "plain", "\x1b[31m", "\t", "ü" * 9, "secret-n", "umber-7-", "\ud800", "\r", " ", "multi-line"]
    lines = ["".join(dice.choice(pieces)[dice.randrange(3):] for _ in range(dice.randrange(5))) for _ in range(3_000)]
    lines = [line.replace("\n", " ") for line in lines]
    assert masker.clean_all(lines) == [masker.clean(line) for line in lines]
    assert Masker().clean_all(["\x1b[2Jx", "y"]) == ["x", "y"]
    assert masker.clean_all([]) == []
