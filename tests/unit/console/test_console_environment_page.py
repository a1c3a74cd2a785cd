"""What an environment's page shows and confirms: pure parts, and forms over real sockets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from deployd.console.activity import again
from deployd.console.drawing import drawing
from deployd.console.output import Printed, WantedLines, batches, look_through, parse_wanted_lines
from deployd.environment.shown_variables import variables_shown
from deployd.errors import Unusable
from deployd.project.reader import read_project
from deployd.queries.environments import LockShape
from deployd.settings import Settings
from deployd.units import MEGABYTE
from tests.doubles.api import AT, PARTS, activity, environment, use
from tests.doubles.trees import DictTree
from tests.support.page import Page
from tests.unit.console.test_console_sign_in import Client, World, client, csrf, sign_in, world

__all__ = ["client", "world"]
SHOP = "/projects/shop/environments/main-bvxea6i"
NEXT = "/projects/shop/environments/next"
DORA, VERA = "the-secret-of-dora", "the-secret-of-vera"


@pytest.fixture(autouse=True)
def environments(world: World) -> None:
    main = environment("shop")
    world.queries.running = [main, replace(main, name="next", branch="next", type="development")]


async def said(client: Client, path: str, status: int = 200) -> str:
    answer = await client.get(path)
    assert answer.status == status
    return Page(await answer.text()).said


async def press(client: Client, path: str, **fields: str) -> tuple[int, str, str]:
    """(status, where it leads, what is said)"""
    answer = await client.post(path, data={"csrf": await csrf(client), **fields}, allow_redirects=False)
    return answer.status, answer.headers.get("Location", ""), Page(await answer.text()).said


async def test_a_button_says_first_what_it_will_do(client: Client, world: World) -> None:
    await sign_in(client)
    revert = await said(client, f"{SHOP}/confirm?do=revert&to=1")
    for told in ("change 3", "change 1", "the same", "stays as it is", "12.5 s", "built before", "Revert main of shop"):
        assert told in revert
    assert "its next push makes the environment anew" in await said(client, f"{NEXT}/confirm?do=delete")
    assert [item for item in world.queries.asked if item[0] in ("rollback", "redeploy", "delete")] == []
    assert (await press(client, f"{SHOP}/revert", to="1", seen="3", lock="1"))[:2] == (303, "/activities/2")
    assert (await press(client, f"{SHOP}/redeploy", seen="3"))[:2] == (303, "/activities/3")
    assert world.queries.asked[-2:] == [
        ("rollback", "shop", "main-bvxea6i", 1, "dora", True, 3), ("redeploy", "shop", "main-bvxea6i", "dora", 3),
    ]


@pytest.mark.parametrize(("kind", "leads_to"), [
    ("push", f"{SHOP}/confirm?do=push-again&to=7"), ("redeploy", f"{SHOP}/confirm?do=redeploy"),
    ("rollback", f"{SHOP}/confirm?do=revert&to=3"), ("delete", f"{SHOP}/confirm?do=delete"), ("purge", ""),
])
def test_the_same_again_is_confirmed_first_whatever_it_was(kind: str, leads_to: str) -> None:
    assert again(activity(7, kind=kind), 3) == leads_to


async def test_a_push_is_asked_for_again(client: Client, world: World) -> None:
    await sign_in(client)
    assert "Push again main of shop" in await said(client, f"{SHOP}/confirm?do=push-again&to=7")
    assert (await press(client, f"{SHOP}/push-again", to="7", seen="3"))[:2] == (303, "/activities/2")
    assert world.queries.asked[-1] == ("push again", "shop", "main-bvxea6i", 7, "dora", 3)


async def test_viewers_see_what_the_repository_says_and_of_the_settings_only_names(client: Client) -> None:
    for token, shown in ((DORA, True), (VERA, False)):
        await sign_in(client, token)
        page = await said(client, SHOP)
        assert "LEVEL" in page
        assert ("<b>one</b>" in page) is shown
        answer = await client.get("/api/v1/projects/shop/environments/main/parts")
        assert ("<b>one</b>" in await answer.text()) is shown


@pytest.mark.parametrize("query", ["", "do=x", "do=revert&to=x", "do=revert&to=-1", f"do=revert&to={'9' * 30}"])
async def test_what_makes_no_sense_is_refused(client: Client, query: str) -> None:
    await sign_in(client)
    assert "cannot be" in await said(client, f"{SHOP}/confirm?{query}", 400)


async def test_to_delete_one_types_the_name_and_production_stays(client: Client, world: World) -> None:
    await sign_in(client)
    assert "cannot be deleted" in await said(client, f"{SHOP}/confirm?do=delete", 409)
    status, _, told = await press(client, f"{SHOP}/delete", branch="main", seen="3")
    assert (status, "cannot be deleted" in told) == (409, True)
    status, _, told = await press(client, f"{NEXT}/delete", branch="nxt", seen="3")
    assert (status, "nothing was deleted" in told) == (400, True)
    assert (await press(client, f"{NEXT}/delete", branch="next", seen="3"))[0] == 303
    assert world.queries.asked[-1] == ("delete", "shop", "next", "dora", 3)


async def test_a_lock_of_somebody_else_is_told(client: Client, world: World) -> None:
    await sign_in(client)
    assert (await press(client, f"{NEXT}/lock", reason="a sale"))[:2] == (303, NEXT)
    assert world.queries.asked[-1] == ("lock", "shop", "next", "a sale", "dora")
    locked = LockShape(who="bob", reason="<b>mine</b>", since=AT)
    world.queries.running = [replace(item, lock=locked) for item in world.queries.running]
    status, _, told = await press(client, f"{NEXT}/lock", reason="a sale")
    assert (status, "Bob has locked next meanwhile: <b>mine</b>" in told) == (409, True)
    assert "by bob" in await said(client, f"{NEXT}/confirm?do=unlock")
    status, _, told = await press(client, f"{NEXT}/unlock", locked="2026-05-04T09:00:00+00:00")
    assert (status, "Bob has locked next anew" in told) == (409, True)
    assert (await press(client, f"{NEXT}/unlock", locked=AT))[:2] == (303, NEXT)


async def test_a_cron_is_run_and_what_it_printed_is_text(client: Client, world: World) -> None:
    await sign_in(client)
    told = await said(client, f"{SHOP}/crons")
    assert "gone <b>wrong</b>" in told
    assert "exit code 3, wanted by ada" in told
    assert (await press(client, f"{SHOP}/crons/run", app="app", cron="tidy"))[:2] == (303, f"{SHOP}/crons")
    assert world.queries.asked[-1] == ("run cron", "shop", "main-bvxea6i", "app", "tidy", "dora")


async def test_a_viewer_sees_no_buttons_and_presses_none(client: Client, world: World) -> None:
    await sign_in(client, VERA)
    page = await said(client, SHOP)
    assert "Redeploy" not in page
    assert "Revert" not in page
    assert "Run tidy now" not in await said(client, f"{SHOP}/crons")
    assert "needs a contributor" in await said(client, f"{SHOP}/confirm?do=redeploy", 403)
    for form in ("redeploy", "push-again", "revert", "lock", "unlock", "delete", "crons/run"):
        status, _, told = await press(client, f"{SHOP}/{form}", seen="3", to="1", branch="main", app="app", cron="tidy")
        assert (status, "needs a contributor" in told) == (403, True), form
    assert world.queries.asked == []


def test_parts_are_drawn_from_routes_to_services() -> None:
    picture = drawing(PARTS, [
        use("app", memory_bytes=50 * MEGABYTE, memory_limit_bytes=100 * MEGABYTE), use("app", kind="web"),
        use("db", kind="service", containers=0, disk_bytes=5_000_000),
    ])
    shown = {item.id: item for item in picture.items}
    assert shown["route:https://shop.test/"].to == (("web:app", ""),)
    assert shown["web:app"].to == (("app:app", ""),)
    assert shown["app:app"].to == (("service:db", "database"), ("mount:app:var", ""))
    assert (shown["service:db"].state, shown["worker:app--mailer"].state, shown["app:app"].state) == (
        "away", "away", "runs")
    app = next(box for box in picture.boxes if box.item.id == "app:app")
    assert (app.share, app.below) == (0.5, "php:8.4 · 50 MB")
    assert len(picture.lines) == 4
    columns = [{box.x for box in picture.boxes if box.item.column == column} for column in range(4)]
    assert all(len(found) == 1 for found in columns)


def test_what_may_be_a_secret_is_a_name_only() -> None:
    app = ("name: app\ntype: 'php:8.4'\nvariables: {env: {OWN: '1', MAIL_PASSWORD: x, PLAIN: 'a://b:c@d/'}}\n"
           "web: {locations: {/: {root: web}}}\n")
    config = read_project(DictTree({".platform.app.yaml": app})).config
    assert config is not None
    settings = Settings.model_validate({"projects": {"shop": {
        "variables": {"env:level": "p", "env:pin": {"value": "1234", "sensitive": True}, "php:memory_limit": "1G"},
        "environments": {"main": {"variables": {"env:level": "e"}}},
    }}})
    found = {item.name: (item.of, item.value)
             for item in variables_shown(config.applications[0], settings.projects["shop"], "main", "PLATFORM_")}
    assert found["OWN"] == ("application", "1")
    assert found["LEVEL"] == ("environment", "e")
    assert found["php:memory_limit"] == ("project", "1G")
    assert found["PLATFORM_BRANCH"] == ("platform", "main")
    hidden = ("PIN", "MAIL_PASSWORD", "PLAIN", "PLATFORM_RELATIONSHIPS", "PLATFORM_PROJECT_ENTROPY")
    assert [found[name][1] for name in hidden] == [None] * 5


def test_followed_lines_are_told_in_batches_with_the_place_of_the_last_looked_at() -> None:
    printed = b"".join(json.dumps(_line(number)).encode() + b"\n" for number in range(1001))
    found = batches(printed, WantedLines(text="7"))
    assert [last for _, last in found] == [_line(number)["time"] for number in (199, 399, 599, 799, 999, 1000)]
    assert all("7" in line["text"] for lines, _ in found for line in lines)
    assert found[-1][0] == []


def test_of_what_was_looked_through_no_more_is_kept_than_a_page_shows() -> None:
    found, wanted = Printed(), WantedLines(text="needle", lines=20)
    for number in range(500):
        lines = [{**_line(number), "text": "x" * 10_000 + f" needle {number}"}, _line(number)]
        found = look_through(found, b"".join(json.dumps(line).encode() + b"\n" for line in lines), wanted)
    assert (len(found.lines), found.looked_at, found.last) == (20, 1000, _line(499)["time"])
    assert [line["time"] for line in found.lines] == [_line(number)["time"] for number in range(480, 500)]
    assert all(2_000 < len(line["text"]) < 2_010 for line in found.lines)


@pytest.mark.parametrize("of", ["db", "x:db", "service:", f"app:{'a' * 400}"])
def test_whose_lines_are_wanted_is_checked(of: str) -> None:
    with pytest.raises(Unusable, match="of cannot be"):
        parse_wanted_lines({"of": of})
    assert parse_wanted_lines({"of": "worker:shop--mailer"}).sources.worker == "shop--mailer"


def _line(number: int) -> dict[str, Any]:
    return {"time": f"2026-05-04T10:00:00.{number:09}Z", "kind": "app", "name": "app", "text": f"line {number}"}


def resting(world: World, state: str, **more: Any) -> None:
    main, other = world.queries.running
    world.queries.running = [main, replace(other, state=state, **more)]


@pytest.mark.parametrize(("state", "shown", "hidden"), [
    ("live", ["Pause…", "Deactivate…", "Redeploy…"], ["Wake…", "Activate…"]),
    ("paused", ["Wake…", "Deactivate…", "Redeploy…"], ["Pause…", "Activate…"]),
    ("inactive", ["Activate…", "Delete…"], ["Wake…", "Pause…", "Deactivate…", "Redeploy…"]),
])
async def test_an_environment_shows_the_buttons_that_fit_how_it_is(
    client: Client, world: World, state: str, shown: list[str], hidden: list[str],
) -> None:
    await sign_in(client)
    resting(world, state)
    page = await said(client, NEXT)
    assert [word for word in shown if word not in page] == []
    assert [word for word in hidden if word in page] == []


async def test_production_has_no_button_by_which_it_would_rest(client: Client, world: World) -> None:
    await sign_in(client)
    page = await said(client, SHOP)
    assert [word for word in ("Pause…", "Deactivate…", "Wake…", "Activate…") if word in page] == []


@pytest.mark.parametrize(("name", "told"), [
    ("pause", "Crawlers and monitors do not"), ("wake", "no deploy hook runs"), ("activate", "the newest commit"),
    ("deactivate", "get nothing at its addresses any more"),
])
async def test_each_of_the_four_says_what_it_does_and_is_done_with_what_was_seen(
    client: Client, world: World, name: str, told: str,
) -> None:
    await sign_in(client)
    assert told in await said(client, f"{NEXT}/confirm?do={name}")
    assert [item for item in world.queries.asked if item[0] == name] == []
    status, where, _ = await press(client, f"{NEXT}/{name}", seen="3")
    assert (status, where[:12]) == (303, "/activities/")
    assert world.queries.asked[-1] == (name, "shop", "next", "dora", 3)
    assert (await press(client, f"{NEXT}/{name}"))[0] == 400


async def test_a_title_and_a_parent_are_shown_and_changed_and_are_no_html(client: Client, world: World) -> None:
    await sign_in(client)
    resting(world, "live", title="<b>The cart</b>", parent="main")
    answer = await client.get(NEXT)
    text = await answer.text()
    assert ("<b>The cart</b>" in text, "&lt;b&gt;The cart&lt;/b&gt;" in text) == (False, True)
    assert (await press(client, f"{NEXT}/describe", title="New", parent="main"))[:2] == (303, NEXT)
    assert world.queries.asked[-1] == ("describe", "shop", "next", "New", None)
    await press(client, f"{NEXT}/describe", title="New", parent="")
    assert world.queries.asked[-1] == ("describe", "shop", "next", "New", "")


async def test_whose_child_a_protected_environment_is_takes_an_admin(client: Client, world: World) -> None:
    await sign_in(client)
    resting(world, "live", parent="main")
    world.queries.variables.protected = (world.queries.running[1].name,)
    assert (await press(client, f"{NEXT}/describe", title="New", parent=""))[0] == 403
    assert (await press(client, f"{NEXT}/describe", title="New", parent="main"))[0] == 303


async def test_a_viewer_brings_nothing_to_rest(client: Client, world: World) -> None:
    await sign_in(client, VERA)
    assert "Pause…" not in await said(client, NEXT)
    assert "needs a contributor" in await said(client, f"{NEXT}/confirm?do=pause", 403)
    for name in ("pause", "wake", "activate", "deactivate", "describe"):
        assert (await press(client, f"{NEXT}/{name}", seen="3", title="x"))[0] == 403
    assert [item for item in world.queries.asked if item[0] in ("pause", "wake", "describe")] == []


async def test_whoever_may_come_in_is_told_how(client: Client, world: World) -> None:
    way = "ssh ssh://main.shop@deploy.example.com:2222"
    main = replace(environment("shop"), ssh=way.removeprefix("ssh "))
    world.queries.running = [main, replace(main, name="next", branch="next", commit="")]
    await sign_in(client)
    assert way in await said(client, SHOP)
    assert way not in await said(client, NEXT), "there is nothing to come into"
    await sign_in(client, VERA)
    assert way not in await said(client, SHOP), "vera is a viewer"
