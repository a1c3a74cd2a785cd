"""What the demo shows of a page and of a push."""

from __future__ import annotations

import pytest

from scripts.git_push import Pushed
from scripts.page import Page, essential_lines


def test_a_page_is_shown_without_markup_forms_and_products() -> None:
    page = Page(200, "1", """<html><head><title>Shop &amp; more</title><style>p { }</style></head>
        <body><h1>Shop</h1>
        <article>a lamp</article><form><input></form>
        <dl><dt>Version</dt><dd>1.0.0</dd><dt>Branch</dt>
        <dd>main</dd></dl></body></html>""")
    assert essential_lines(page) == ["Shop & more", "Shop", "Version: 1.0.0", "Branch: main"]


@pytest.mark.parametrize(("status", "line", "deployed"), [
    (0, "remote: ✓ push of main done in 4.6 s", True),
    (0, "remote: ✗ push of main failed: the build hook of shop ended with exit code 1", False),
    (1, " ! [remote rejected] HEAD -> main (pre-receive hook declined)", False),
])
def test_a_push_is_judged_by_what_it_says(status: int, line: str, deployed: bool) -> None:
    assert Pushed(status, 1.0, ("remote: ▸ route", line)).deployed is deployed
