"""Pages that stay current: what is sent of them, and from where a browser goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.console import live
from deployd.console.live import Board, Part, Parts
from deployd.http.event_stream import Event, Events


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.05)


class Page:
    def __init__(self) -> None:
        self.reasons: dict[str, tuple[str, ...]] = {"one": ("1",), "two": ("2",)}
        self.looks = 0

    async def look(self) -> Parts:
        self.looks += 1
        return {name: Part("reasons", {"reasons": reasons}) for name, reasons in self.reasons.items()}


@asynccontextmanager
async def board(boundary: ErrorBoundary | None = None) -> AsyncIterator[Board]:
    made = Board(boundary or ErrorBoundary("console"))
    task = asyncio.ensure_future(made.serve())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def next_event(events: Events) -> Event:
    async with asyncio.timeout(5):
        while (event := await anext(events)) is None:
            pass
    return event


def shown(event: Event) -> tuple[str, str]:
    data = json.loads(event.data)
    return data["id"], data["html"]


async def test_only_what_changed_is_sent_and_the_place_goes_with_the_last_of_it() -> None:
    page = Page()
    async with board() as shared:
        seen = await shared.now("page", page.look)
        place = seen.place
        assert list(seen.html) == ["one", "two"]
        async with aclosing(shared.follow("page", page.look, place)) as events:
            assert await anext(events) is None, "a silence"
            page.reasons["two"] = ("<b>",)
            event = await next_event(events)
            name, html = shown(event)
            assert name == "two"
            assert "&lt;b&gt;" in html
            assert html.startswith('<section id="two"')
            assert event.id not in ("", place)
            page.reasons = {"one": ("x",), "two": ("y",)}
            first, second = await next_event(events), await next_event(events)
            assert (first.id, second.id != "") == ("", True), "a browser that got half of it gets all of it again"


async def test_a_browser_that_comes_back_gets_what_it_missed_and_nothing_else() -> None:
    page = Page()
    async with board() as shared:
        place = (await shared.now("page", page.look)).place
        page.reasons["one"] = ("changed",)
        await shared.now("page", page.look)
        async with aclosing(shared.follow("page", page.look, place)) as events:
            event = await next_event(events)
            assert shown(event)[0] == "one"
        async with aclosing(shared.follow("page", page.look, event.id)) as events:
            assert await anext(events) is None


@pytest.mark.parametrize("place", ["", "x", "x.1", ".", "1", "0." + "9" * 30])
async def test_a_page_of_another_run_of_the_daemon_is_loaded_again(place: str) -> None:
    page = Page()
    async with board() as shared, aclosing(shared.follow("page", page.look, place)) as events:
        assert (await next_event(events)).name == "reload"


async def test_a_page_to_which_something_came_is_loaded_again() -> None:
    page = Page()
    async with board() as shared:
        place = (await shared.now("page", page.look)).place
        async with aclosing(shared.follow("page", page.look, place)) as events:
            page.reasons = {"three": (), **page.reasons}
            event = await next_event(events)
            assert event.name == "reload"
            page.reasons["one"] = ("changed",)
            assert shown(await next_event(events))[0] == "one"


@pytest.mark.looptime   # how busy the machine is does not count
async def test_many_readers_are_one_look_and_without_readers_nobody_looks() -> None:
    page = Page()
    async with board() as shared:
        place = (await shared.now("page", page.look)).place
        streams = [shared.follow("page", page.look, place) for _ in range(50)]
        for stream in streams:
            assert await anext(stream) is None
        looks = page.looks
        await asyncio.sleep(0.1)
        assert page.looks - looks < 30, "ten for all, not for each"
        for stream in streams:
            await stream.aclose()
        await asyncio.sleep(0.02)   # the look that was due already
        looks = page.looks
        await asyncio.sleep(0.1)
        assert page.looks == looks


async def test_a_look_that_fails_ends_nobodys_page() -> None:
    page = Page()
    async with board() as shared:
        place = (await shared.now("page", page.look)).place
        async with aclosing(shared.follow("page", page.look, place)) as events:
            broken = page.reasons
            page.reasons = None   # type: ignore[assignment]
            assert await anext(events) is None
            page.reasons = {**broken, "one": ("well",)}
            assert shown(await next_event(events))[0] == "one"


async def test_a_page_that_is_followed_before_anybody_looked_has_its_parts() -> None:
    page, shared = Page(), Board(ErrorBoundary("console"))   # nobody looks by himself yet: the daemon has just started
    async with aclosing(shared.follow("page", page.look, "of.1")) as events:
        assert (await next_event(events)).name == "reload"
        assert list((await shared.now("page", page.look)).parts) == ["one", "two"]


async def test_what_changed_is_rendered_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    page, rendered = Page(), list[str]()

    def render(name: str, macro: str, values: object) -> str:
        rendered.append(name)
        return f"{name} {values}"

    monkeypatch.setattr(live, "render_part", render)
    async with board() as shared:
        place = (await shared.now("page", page.look)).place
        streams = [shared.follow("page", page.look, place) for _ in range(50)]
        for text in ("x", "y"):
            page.reasons["one"] = (text,)
            told = [shown(await next_event(stream)) for stream in streams]
            assert {html for _, html in told} == {f"one {{'reasons': ('{text}',)}}"}
        assert rendered.count("one") == 3, "as it was loaded, and each change"
        for stream in streams:
            await stream.aclose()


async def test_a_page_that_hangs_keeps_no_other_waiting_and_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_LOOK_SECONDS", 0.05)
    boundary, good, tries = ErrorBoundary("console"), Page(), 0

    async def hang() -> Parts:
        nonlocal tries
        tries += 1
        if tries > 1:
            await asyncio.sleep(3600)
        return {}

    async with board(boundary) as shared:
        place = (await shared.now("good", good.look)).place
        await shared.now("hangs", hang)
        async with aclosing(shared.follow("hangs", hang, "")) as hanging:
            assert (await next_event(hanging)).name == "reload"
            async with aclosing(shared.follow("good", good.look, place)) as events:
                good.reasons["one"] = ("changed",)
                assert shown(await next_event(events))[0] == "one"
                async with asyncio.timeout(5):
                    while tries < 4:
                        await asyncio.sleep(0.01)
            assert "looking at the page hangs" in str(boundary.troubles())
        async with asyncio.timeout(5):
            while boundary.troubles():   # nobody reads it any more: it stands in no status for ever
                await asyncio.sleep(0.01)
