"""Staging and production take only what is merged: by a push, by a ticket, with approval; and what was built is what
goes live."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

import pytest
from playwright.async_api import Browser

from deployd.cli.exit_status import FAILED, REFUSED
from deployd.environment.naming import machine_name
from deployd.process import Output, run
from scripts.local_daemon import LocalDaemon
from tests.e2e.test_console import Visitor, browser
from tests.support.developer import Developer, MakeDeveloper

__all__ = ["browser"]   # a fixture

PROJECT = "gated"
LIMIT_SECONDS = 60.0


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    return await developer(PROJECT, files={"text": "zero"})


async def test_what_is_merged_comes_to_production_by_a_ticket_and_nothing_else_does(
    me: Developer, daemon: LocalDaemon,
) -> None:
    await me.write({"text": "one"})
    refused = await me.push("staging")
    assert refused.status != 0
    assert any("staging takes only what is merged to main" in line for line in refused.lines)
    assert any("hint: merge it to main" in line for line in refused.lines)

    assert (await me.push("main")).deployed
    direct = await me.push("production")   # it is merged, and is not live on staging
    assert direct.status != 0
    assert any("takes only what is live on staging" in line for line in direct.lines)

    made = _json(await _deployd(daemon, "promote", PROJECT, "main", "production", "-m", "the sale", "--json"))
    assert [stage["branch"] for stage in made["stages"]] == ["staging", "production"]
    found = await _until(daemon, made["id"], "waiting")
    ticket = found["ticket"]
    assert await me.page("staging") == (200, "one on staging")   # its stage needs no approval
    assert (await me.page("production"))[0] == 404
    assert [item["code"] for item in ticket["obstacles"]] == ["approval-missing"]
    assert found["slugs"][0]["where"] == "the one that is live on staging, byte by byte"
    assert any("another value of GREETING" in line for line in found["differs"])

    own = await _deployd(daemon, "ticket", "approve", str(made["id"]), "--yes", check=False)
    assert own.status == REFUSED
    assert "operator asked for it" in own.stderr.decode()
    assert (await _post(daemon, f"tickets/{made['id']}/approve", {"digest": "0" * 32}))[0] == 409

    status, _ = await _post(daemon, f"tickets/{made['id']}/approve", {"digest": ticket["digest"]})
    assert status == 200
    await _until(daemon, made["id"], "done")
    assert await me.page("production") == (200, "one on production")
    slugs = _slugs(daemon)
    assert slugs["main"] == slugs["staging"] == slugs["production"]
    again = await _deployd(daemon, "promote", PROJECT, "main", "production", check=False)
    assert "is live on production already" in again.stderr.decode()


async def test_a_newer_push_takes_the_place_of_a_ticket_that_waits_and_a_declined_one_changes_nothing(
    me: Developer, daemon: LocalDaemon,
) -> None:
    await me.write({"text": "two"})
    assert (await me.push("main")).deployed
    assert (await me.push("staging")).deployed
    pushed = await me.push("production")   # held: git is told so, and does not wait
    assert pushed.status == 0
    assert any("production needs 1 approval" in line for line in pushed.lines)
    [first] = await _open(daemon)
    await me.write({"text": "three"})
    assert (await me.push("main")).deployed
    assert (await me.push("staging")).deployed
    made = _json(await _deployd(daemon, "promote", PROJECT, "main", "production", "--json"))
    gone = await _until(daemon, first["id"], "superseded")
    assert gone["ticket"]["ended_why"].startswith("a newer promote came")
    late, told = await _post(daemon, f"tickets/{first['id']}/approve", {"digest": first["digest"]})
    assert late == 409
    assert "is superseded" in told["what"]
    await _until(daemon, made["id"], "waiting")
    assert (await _post(daemon, f"tickets/{made['id']}/decline", {}))[0] == 400
    await _post(daemon, f"tickets/{made['id']}/decline", {"reason": "not on a Friday"})
    ended = await _until(daemon, made["id"], "declined")
    assert ended["ticket"]["ended_why"] == "not on a Friday"
    assert (await me.page("production"))[1] != "three on production"
    can = await _deployd(daemon, "can-i", "promote", PROJECT, "production", check=False)
    assert can.status == FAILED
    assert "production needs 1 approval" in can.text


async def test_it_is_asked_for_by_the_button_and_looked_at_by_everybody(
    me: Developer, daemon: LocalDaemon, browser: Browser,
) -> None:
    await me.write({"text": "four"})
    assert (await me.push("main")).deployed
    assert (await me.push("staging")).deployed
    person = Visitor(await (await browser.new_context()).new_page())
    await person.sign_in(me, f"/projects/{PROJECT}/environments/{machine_name('production')}")
    await person.follow("Promote…")
    assert "production needs 1 approval" in await person.page.inner_text("main")
    await person.is_fit_for_everybody()
    commit = (await _rev_parse(me))[:8]
    async with person.page.expect_navigation():
        await person.page.get_by_role("button", name=f"Ask for {commit} on production").click()
    number = int(person.page.url.rpartition("/")[2])
    found = await _until(daemon, number, "waiting")
    await person.page.goto(f"{daemon.api}/activities/{found['ticket']['activity']}")
    await person.follow(f"Ticket {number}: what goes live by it, and who decides", f"/tickets/{number}")
    said = await person.page.inner_text("main")
    for text in ("It is yours: somebody else approves it.", "live on staging, byte by byte", "GREETING"):
        assert text in said
    await person.is_fit_for_everybody()
    await _deployd(daemon, "ticket", "approve", str(number), "--yes")
    await _until(daemon, number, "done")
    assert await me.page("production") == (200, "four on production")
    await person.page.goto(f"{daemon.api}/tickets?all=1")
    assert "superseded" in await person.page.inner_text("main")
    await person.is_fit_for_everybody()
    assert person.complaints == []


async def _rev_parse(me: Developer) -> str:
    return (await run("git", "rev-parse", "HEAD", cwd=me.folder)).text


async def _deployd(daemon: LocalDaemon, *arguments: str, check: bool = True) -> Output:
    socket = daemon.directory / "var/run/api.sock"
    return await run(daemon.program.python, "-m", "deployd", *arguments, f"--socket={socket}", check=check,
                     cwd=daemon.program.folder)


def _json(output: Output) -> Any:
    return json.loads(output.text)


async def _post(daemon: LocalDaemon, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with daemon.session() as session, session.post(f"/api/v1/{path}", json=body) as answer:
        return answer.status, await answer.json()


async def _open(daemon: LocalDaemon) -> list[dict[str, Any]]:
    async with daemon.session() as session, session.get(f"/api/v1/tickets?project={PROJECT}&open=1") as answer:
        return list((await answer.json())["items"])


async def _until(daemon: LocalDaemon, number: int, state: str) -> dict[str, Any]:
    """The ticket, once it is in a state and in its last stage."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(LIMIT_SECONDS), daemon.session() as session:
        while True:
            async with session.get(f"/api/v1/tickets/{number}") as answer:
                found = await answer.json()
            ticket = found["ticket"]
            if ticket["state"] == state and ticket["stage"] == len(ticket["stages"]) - 1:
                return found
            assert ticket["is_open"], found
            await asyncio.sleep(0.1)


def _slugs(daemon: LocalDaemon) -> dict[str, str]:
    """{branch: slug that is live}"""
    with sqlite3.connect(daemon.directory / "var/state/state.db") as db:
        rows = db.execute(
            "SELECT branch, version FROM environments JOIN versions ON activity = live_activity"
            " WHERE environments.project = ?", (PROJECT,),
        ).fetchall()
    return {branch: json.loads(text)["apps"][0]["slug"] for branch, text in rows}
