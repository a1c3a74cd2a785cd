"""docs/api.md and docs/status.md say all that the API says, and nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from deployd.api.openapi import openapi
from deployd.api.route import ApiRoute
from deployd.api.routes import ROUTES
from deployd.http.errors import REFUSED, STATUS, UNAVAILABLE
from deployd.queries.status import StatusShape
from tests.support.corpus import REPOSITORY

API = (REPOSITORY / "docs/api.md").read_text()
STATUS_PAGE = (REPOSITORY / "docs/status.md").read_text()
SCHEMAS: dict[str, Any] = openapi(ROUTES, "1")["components"]["schemas"]


def section(heading: str) -> str:
    _, _, after = API.partition(f"\n### {heading}\n")
    assert after, f"docs/api.md has no heading for {heading}"
    return re.split(r"\n###? ", after)[0]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_documented_with_its_role_and_shapes(route: ApiRoute) -> None:
    text = section(f"{route.method} {route.path}")
    assert text.strip().startswith(f"{route.role}." if route.role else "No token")
    assert route.text or f"[{route.shape.__name__}](#{route.shape.__name__.lower()})" in text
    assert route.body is None or f"[{route.body.__name__}]" in text
    for name in route.query:
        assert f"`{name}" in text
    assert ("202" in text) == (route.status == 202)


def test_no_route_is_documented_that_is_not_there() -> None:
    named = re.findall(r"^### ((?:GET|POST|PUT|PATCH|DELETE) .*)$", API, re.MULTILINE)
    assert named == [f"{route.method} {route.path}" for route in ROUTES]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_documented(name: str) -> None:
    text = section(name)
    for field in SCHEMAS[name]["properties"]:
        assert f"`{field}`" in text, f"{name}.{field} is not documented"


def test_every_status_of_an_error_is_documented() -> None:
    for status in {*STATUS.values(), REFUSED, UNAVAILABLE, 405, 500}:
        assert f"\n| {status} |" in API


def test_every_field_of_the_status_is_documented() -> None:
    for field in fields(StatusShape):
        assert re.search(rf"^\| `{field.name}[`.]", STATUS_PAGE, re.MULTILINE), field.name


def test_links_within_the_docs_lead_somewhere() -> None:
    for name in ("api", "cli", "console", "status"):
        text = (REPOSITORY / f"docs/{name}.md").read_text()
        for file, anchor in re.findall(r"\]\(([\w-]*(?:\.md)?)#([\w-]+)\)", text):
            target = (REPOSITORY / "docs" / (file or f"{name}.md")).read_text()
            anchors = [re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
                       for heading in re.findall(r"^#+ (.*)$", target, re.MULTILINE)]
            assert anchor in anchors, f"docs/{name}.md: {file}#{anchor}"
