"""The page that compares: a form, what differs, files when they are asked for, and nothing of others' projects."""

from __future__ import annotations

import pytest

from deployd.console.compare import kind_of
from tests.doubles.api import FakeQueries
from tests.unit.console.test_console_pages import CARL, VERA, Client, client, page

__all__ = ["client"]


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries()


async def test_without_sides_it_is_a_form_that_says_what_they_are(client: Client, queries: FakeQueries) -> None:
    assert "project/environment@activity" in (await page(client, "/compare")).said
    assert "project/environment@activity" in (await page(client, "/compare?a=shop/main")).said
    assert queries.asked == []


async def test_it_says_what_differs_and_looks_into_slugs_when_it_is_asked_to(
    client: Client, queries: FakeQueries,
) -> None:
    found = await page(client, "/compare?a=shop/main@1&b=shop/main")
    said = " ".join(found.said.split())
    assert "B is later: it has all commits of A." in said
    assert "and 69 before them" in said
    assert "mariadb:10.6 → mariadb:11.8" in said
    assert "app: TOKEN changed its value differs" in said
    assert "+name: Mend the door" in said
    assert "and 3 more lines" in said
    assert "Files of slugs" not in said
    [link] = [link["href"] for link in found.all("a") if "files=1" in link["href"]]
    assert "src/Mend the door.php" in (await page(client, f"/compare{link}")).said
    asked = ("compare", "shop/main@1", "shop/main")
    assert queries.asked == [(*asked, False), (*asked, True)]


async def test_a_project_of_others_is_not_there(client: Client) -> None:
    await page(client, "/compare?a=blog/main&b=shop/main", CARL, 404)
    await page(client, "/compare?a=blog/main&b=shop/main", VERA, 200)


@pytest.mark.parametrize(("line", "kind"), [
    ("+++ b/x", "head"), ("diff --git a/x b/x", "head"), ("+a", "added"), ("-a", "removed"), ("@@ -1 +1 @@", "place"),
    (" a", "same"), ("", "same"),
])
def test_lines_of_a_difference_are_told_apart(line: str, kind: str) -> None:
    assert kind_of(line) == kind
