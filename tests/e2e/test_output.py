"""`deployd logs`: over redeploys, failures and a restart of the daemon, and gone with its environment."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from deployd.environment.naming import machine_name
from deployd.process import Output, Process, open_process, run
from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

PRINTS = SERVER.replace("ThreadingHTTPServer((", '''print("this is", Path("/app/text").read_text().strip(), flush=True)
print("the token is", os.environ["TOKEN"], flush=True)
ThreadingHTTPServer((''').replace("        pass\n", '        print("asked for", _[1], flush=True)\n')
BRANCH = "feature"
WORKER = "workers:\n  mailer:\n    commands:\n      start: echo mailer begins; exec sleep 1000\n"


async def test_what_an_environment_prints_is_there_whatever_happens_to_its_containers(developer: MakeDeveloper) -> None:
    me = await developer("printing", files={".platform.app.yaml": APP + WORKER, "server.py": PRINTS})
    assert (await me.push(BRANCH)).deployed
    argv = [sys.executable, "-m", "deployd", "logs", "--socket", str(socket_of(me)), "-f", "--json", me.project, BRANCH]
    async with open_process(*argv) as follower:
        first = await until(follower, "mailer begins")
        assert [line["text"] for line in first if line["kind"] == "app"][:2] == ["this is first", "the token is ***"]
        version = first[0]["version"]

        await me.write({"text": "second"})
        assert (await me.push(BRANCH)).deployed
        second = await until(follower, "this is second")
        assert second[-1]["version"] > version

        await me.daemon.stop()
        await me.page(BRANCH, path="/while-it-is-away")
        await me.daemon.start()
        away = await until(follower, "asked for GET /while-it-is-away")
        assert [line["time"] for line in first + second + away] == sorted(
            {line["time"] for line in first + second + away}), "each once"

    used = json.loads((await asked(me, "top", "--json", me.project, BRANCH)).text)
    assert {(use["kind"], use["name"]) for use in used} == {("app", "app"), ("web", "app"), ("worker", "app--mailer")}
    assert all(use["containers"] == 1 and use["cpu_seconds"] > 0 and use["memory_bytes"] > 0 for use in used)
    async with aiohttp.ClientSession() as session, session.get(
        f"{me.daemon.api}/metrics", headers={"Authorization": f"Bearer {me.daemon.token}"},
    ) as answer:
        assert f'environment="{machine_name(BRANCH)}",kind="worker",name="app--mailer"' in await answer.text()

    old = await shown(me, "--version", str(version))
    assert {line["name"] for line in old} == {"app", "mailer"}
    assert "this is first" in [line["text"] for line in old]

    await me.write({"server.py": "import sys\nprint('before the end')\nsys.exit('no module named shop')\n"})
    pushed = await me.push(BRANCH)
    assert not pushed.deployed
    assert "| no module named shop" in "\n".join(pushed.lines)
    assert f"deployd logs {me.project} {BRANCH} --version" in "\n".join(pushed.lines)
    failed = await shown(me, "--app", "app", "-n", "50")
    ends = [line for line in failed if line["text"] == "no module named shop"]
    assert ends
    assert ends[0]["stream"] == "stderr"
    assert ends[0]["version"] > second[-1]["version"]

    kept = me.daemon.directory / "var/state/output" / me.project / machine_name(BRANCH)
    assert kept.is_dir()
    assert (await me.push(BRANCH, delete=True)).status == 0
    async with asyncio.timeout(60):
        while kept.exists():
            await asyncio.sleep(0.1)


def socket_of(me: Developer) -> Path:
    return me.daemon.directory / "var/run/api.sock"


async def until(follower: Process, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not found or text not in found[-1]["text"]:
            found.append(json.loads(await follower.stdout.readline()))
    return found


async def shown(me: Developer, *options: str) -> list[dict[str, Any]]:
    output = await asked(me, "logs", "--json", *options, me.project, BRANCH)
    return [json.loads(line) for line in output.text.splitlines()]


async def asked(me: Developer, verb: str, *options: str) -> Output:
    return await run(sys.executable, "-m", "deployd", verb, "--socket", str(socket_of(me)), *options)
