"""What a form of Gotenberg says, as Chromium is told it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.support.corpus import REPOSITORY


@pytest.fixture(scope="module")
def forms() -> Iterator[ModuleType]:
    sys.path.insert(0, str(REPOSITORY / "config/images/gotenberg"))
    found = importlib.import_module("forms")
    importlib.import_module("browser")
    yield found
    sys.path.pop(0)
    for name in ("forms", "browser"):
        sys.modules.pop(name)


def test_nothing_said_is_a_letter_with_small_margins(forms):
    told = forms.pdf_of({}, "", "")
    assert (told["paperWidth"], told["paperHeight"], told["marginTop"], told["scale"]) == (8.5, 11.0, 0.39, 1.0)
    assert {told[name] for name in ("landscape", "printBackground", "displayHeaderFooter")} == {False}


@pytest.mark.parametrize(("written", "inches"), [
    ("8.27", 8.27), ("210mm", 8.268), ("72pt", 1), ("96px", 1), ("6pc", 1),
])
def test_lengths_have_units(forms, written, inches):
    assert forms.pdf_of({"paperWidth": written}, "", "")["paperWidth"] == pytest.approx(inches, abs=0.001)


@pytest.mark.parametrize("form", [
    {"paperWidth": "wide"}, {"paperWidth": "-1"}, {"scale": "9"}, {"scale": "x"}, {"landscape": "perhaps"},
])
def test_what_cannot_be_a_page_is_said(forms, form):
    with pytest.raises(forms.Wrong, match=next(iter(form))):
        forms.pdf_of(form, "", "")


@pytest.mark.parametrize("form", [
    {"waitDelay": "soon"}, {"cookies": "{}"}, {"cookies": "["}, {"extraHttpHeaders": '{"a": 1}'},
    {"failOnHttpStatusCodes": '["x"]'}, {"emulatedMediaType": "tv"},
])
def test_what_cannot_be_opened_so_is_said(forms, form):
    with pytest.raises(forms.Wrong, match=next(iter(form))):
        forms.page_of(form)


def test_statuses_fail_one_by_one_or_by_the_hundred(forms):
    usual, chosen = forms.page_of({}), forms.page_of({"failOnHttpStatusCodes": "[299, 404]"})
    assert [forms.fails(usual, status) for status in (200, 302, 404, 500)] == [False, False, True, True]
    assert [forms.fails(chosen, status) for status in (200, 302, 403, 404)] == [True, False, False, True]


@pytest.mark.parametrize(("written", "seconds"), [("2s", 2.0), ("500ms", 0.5), ("10m", 60.0), ("", 0.0)])
def test_nobody_waits_longer_than_a_minute(forms, written, seconds):
    assert forms.page_of({"waitDelay": written}).wait_seconds == seconds


def test_a_picture_has_a_kind_and_a_size(forms):
    assert forms.picture_of({"format": "jpeg", "quality": "80", "width": "1280"}) == (
        {"format": "jpeg", "captureBeyondViewport": True, "quality": 80}, (1280, 600))
    with pytest.raises(forms.Wrong, match="format"):
        forms.picture_of({"format": "gif"})
    with pytest.raises(forms.Wrong, match="width"):
        forms.picture_of({"width": "1000000"})


@pytest.mark.parametrize(("url", "may"), [
    ("file:///tmp/page-1/style.css", True), ("file:///tmp/page-1/../page-2/index.html", False),
    ("file:///tmp/page-1/%2e%2e/page-2/index.html", False), ("file:///etc/passwd", False),
    ("https://shop.example/logo.png", True), ("http://shop.example/?to=:9223", True),
    ("http://127.0.0.1:9223/json/list", False), ("http://rebound.example:9223/json/close/1", False),
    ("http://[::1]:9223/", False), ("http://x:999999/", False),
])
def test_a_page_loads_its_own_files_and_nothing_of_what_chromium_is_driven_by(forms, url, may):
    assert sys.modules["browser"].may_load(url, "/tmp/page-1") is may


def test_a_page_of_an_address_has_no_files(forms):
    assert not sys.modules["browser"].may_load("file:///tmp/page-1/index.html", "")
