"""A laptop: signing in to a daemon, waiting for pushes, following what changes; and what was done is noted."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from deployd.process import Output, run
from tests.e2e.conftest import Developer, MakeDeveloper

ENVIRONMENT = "/api/v1/projects/laptop/environments/main"


class Laptop:
    """The command line of somebody who has no socket, only an address and a token."""

    def __init__(self, me: Developer, home: Path) -> None:
        self._me = me
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("DEPLOYD_")}
        self._env["HOME"] = str(home)

    async def deployd(self, *argv: str, stdin: bytes | None = b"") -> Output:
        code = "import sys; from deployd.cli.main import main; main(sys.argv[1:])"
        return await run(sys.executable, "-c", code, *argv, env=self._env, stdin=stdin, check=False,
                         cwd=self._me.folder)

    async def json(self, *argv: str) -> Any:
        return json.loads((await self.deployd(*argv, "--json")).text)


async def test_a_push_is_waited_for_from_a_laptop_and_noted(developer: MakeDeveloper, tmp_path: Path) -> None:
    me = await developer("laptop")
    laptop = Laptop(me, tmp_path / "home")
    assert (await laptop.deployd("login", me.daemon.api, stdin=b"guess\n")).status == 6
    signed_in = await laptop.deployd("login", me.daemon.api, stdin=me.daemon.token.encode())
    assert (signed_in.status, "laptop" in signed_in.text) == (0, True), signed_in.stderr

    await me.push(options=["no-wait"])
    waited = await laptop.deployd("wait", "-p", "laptop")
    assert (waited.status, "done in" in waited.text) == (0, True), waited
    assert (await laptop.deployd("open", "laptop", "main")).text == me.daemon.url("laptop")
    listed = await laptop.json("environments", "-p", "laptop")
    assert [item["state"] for item in listed] == ["live"]
    run_of = await _get(me, f"/api/v1/activities/{listed[0]['activity']}/run")
    assert {"build", "deploy"} <= {phase["phase"] for phase in run_of["timeline"]["phases"]}
    assert all(phase["state"] == "done" for phase in run_of["timeline"]["phases"])

    await me.write({".platform.app.yaml": "name: [wrong"})
    assert (await me.push()).status != 0
    nothing = await laptop.deployd("wait", "-p", "laptop", "--appear", "0")
    assert nothing.status == 5

    deeds = await laptop.json("audit", "-p", "laptop")
    assert [(deed["action"], deed["by"], deed["who"], deed["address"], deed["result"]) for deed in deeds] == [
        ("push", "git", "local", "127.0.0.1", "done"),
    ]
    assert (await laptop.deployd("audit", "--verify")).status == 0


async def test_a_program_that_lost_an_answer_asks_again_and_nothing_is_done_twice(
    developer: MakeDeveloper, tmp_path: Path,
) -> None:
    me = await developer("laptop")
    await me.push()
    headers = {"Idempotency-Key": "a-key-of-this-test"}
    async with me.daemon.session() as api, asyncio.timeout(60):
        async with api.get("/api/v1/events?project=laptop") as changes:
            assert (await _event(changes))["kind"] == "begin"
            made = [await _redeploy(api, headers) for _ in range(3)]
            assert [repeated for _, repeated in made] == [False, True, True]
            number = made[0][0]["id"]
            assert {activity["id"] for activity, _ in made} == {number}
            states = []
            while not states or states[-1] != "success":
                change = await _event(changes)
                if change["kind"] == "activity" and change["activity"]["id"] == number:
                    states.append(change["activity"]["state"])
        lines, place = [], 0
        async with api.get(f"/api/v1/activities/{number}/log", headers={"Accept": "text/event-stream"}) as log:
            text = (await log.read()).decode()
        lines = [json.loads(data)["number"] for data in re.findall(r"^data: (.*)$", text, re.MULTILINE)]
        assert lines == list(range(1, len(lines) + 1))
        place = lines[-1]
        again = {"Accept": "text/event-stream", "Last-Event-ID": str(place)}
        async with api.get(f"/api/v1/activities/{number}/log", headers=again) as log:
            assert log.status == 204
        async with api.get("/api/v1/activities?project=laptop&limit=1") as listed:
            tag, following = listed.headers["ETag"], listed.links["next"]["url"]
        async with api.get("/api/v1/activities?project=laptop&limit=1", headers={"If-None-Match": tag}) as known:
            assert known.status == 304
        async with api.get(following) as page:
            assert [item["id"] for item in (await page.json())["items"]] < [number]


async def _redeploy(api: ClientSession, headers: dict[str, str]) -> tuple[dict[str, Any], bool]:
    async with api.post(f"{ENVIRONMENT}/redeploy", headers=headers) as answer:
        assert answer.status == 202
        return await answer.json(), "Idempotent-Replayed" in answer.headers


async def _event(answer: Any) -> dict[str, Any]:
    """The data of the next event."""
    while True:
        raw = await answer.content.readline()
        assert raw, "the stream ended"
        if raw.startswith(b"data: "):
            data: dict[str, Any] = json.loads(raw[len(b"data: "):])
            return data


async def _get(me: Developer, path: str) -> Any:
    async with me.daemon.session() as api, api.get(path) as answer:
        assert answer.status == 200
        return await answer.json()
