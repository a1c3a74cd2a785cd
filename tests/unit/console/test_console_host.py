"""The page of the host: hints, what waits, when the disk is full, who did what, and who sees which of it."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient

from tests.doubles.api import FakeQueries, activity, certificate, deed
from tests.unit.console.test_console_pages import CARL, DORA, HOSTILE, VERA, Client, client, page

__all__ = ["client"]


@pytest.fixture
def queries() -> FakeQueries:
    return FakeQueries(
        [activity(1, state="in_progress", waits="waits: all 2 slots for builds are taken"), activity(2, "blog")],
        reasons=("shop/main: the disk fails; hint: get another",),
        hosts=[certificate("shop.test", "shop", ends="2027-01-01T00:00:00+00:00"),
               certificate("blog.test", "blog", ends="2026-06-01T00:00:00+00:00"),
               certificate("bad.test", "shop", state="refused", ends="", why="rate limited")],
        deeds=[deed(number, "shop" if number % 2 else "blog", said=HOSTILE) for number in range(120, 0, -1)],
    )


async def test_it_says_what_is_not_well_who_waits_and_when_the_disk_is_full(client: Client) -> None:
    said = (await page(client, "/host", DORA)).said
    assert "Not as it should be" in said
    assert "the disk fails hint: get another" in " ".join(said.split())
    assert "1 of 2 run" in said
    assert "all 2 slots for builds are taken" in said
    assert "2026-05-24" in said
    assert "Foretold from the last 6.5 days" in said
    assert "and 1 with too many files to be counted" in said
    assert "Admins see it." in said, "what housekeeping would take away"
    assert said.index("bad.test") < said.index("blog.test") < said.index("shop.test")
    assert "crons" in said


async def test_the_audit_list_is_for_contributors_and_goes_back_by_pages(client: Client) -> None:
    first = await page(client, "/host", DORA)
    links = [link["href"] for link in first.all("a") if "before" in link["href"]]
    assert links == ["/host?before=71#audit-title"]
    last = await page(client, "/host?before=21", DORA)
    assert [link for link in last.all("a") if "before=" in link["href"]] == []
    assert HOSTILE.replace("\x00", "") in last.said.replace("\ufffd", "").replace("\x00", "")
    assert "Contributors and admins see it." in (await page(client, "/host", VERA)).said
    for bad in ("x", "-1", "9" * 20):
        await page(client, f"/host?before={bad}", DORA, 400)


async def test_a_token_of_one_project_learns_nothing_of_the_host_or_of_others(client: Client) -> None:
    said = (await page(client, "/host", CARL)).said
    assert "You see what concerns your projects" in said
    for secret in ("shop", "the disk fails", "slugs", "crons", "bad.test"):
        assert secret not in said
    assert "blog.test" in said


async def test_its_stream_tells_all_its_parts_first(client: TestClient) -> None:   # type: ignore[type-arg]
    async with client.get("/host/events", headers=DORA) as answer:
        assert answer.status == 200
        text = ""
        while "\"id\": \"deeds\"" not in text:
            text += (await answer.content.read(65_536)).decode()
        for name in ("reasons", "slots", "certificates", "disk", "loops"):
            assert f"\"id\": \"{name}\"" in text


async def test_it_says_by_which_key_one_knows_the_ssh_server(client: Client) -> None:
    said = (await page(client, "/host", CARL)).said
    assert "deploy.test:2222" in said
    assert "ssh-ed25519 SHA256:abc" in said
