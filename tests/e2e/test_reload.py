"""The settings are read again while people push, forges deliver and others look on: nobody is refused or cut off."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import re
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from deployd.daemon.process_state import READS_AGAIN
from deployd.process import run
from tests.support.developer import APP, Developer, MakeDeveloper
from tests.support.forge import SECRET

HOOK_SECONDS = 6
SLOW = f"{APP}hooks:\n  deploy: echo one; sleep {HOOK_SECONDS}; echo two\n"
END_SECONDS = 90


async def test_nobody_is_refused_and_who_follows_goes_on(developer: MakeDeveloper) -> None:
    me = await developer("reloaded")
    assert (await me.push()).deployed
    await me.write({".platform.app.yaml": SLOW, "text": "second"})
    async with asyncio.timeout(END_SECONDS), asyncio.TaskGroup() as group:
        began = time.monotonic()
        pushing = group.create_task(me.push(options=()))
        number = await _when_hook_runs(me)
        following = group.create_task(_follow(me, number))
        up, postmen = (await _status(me))["uptime_seconds"], _postmen(me)
        async with _asking(me) as answers:
            for _ in range(2):
                await _reload(me)
        pushed = await pushing
        took = time.monotonic() - began
    assert pushed.deployed, pushed.lines
    assert sum(READS_AGAIN in line for line in pushed.lines) == 2
    assert any(line.endswith("two") for line in pushed.lines), "the hook went on, and so did its output"
    said = "\n".join(pushed.lines)
    [total] = re.findall(r"push of main done in ([\d.]+) s", said)
    [hooks] = re.findall(r"hooks took ([\d.]+) s", said)
    assert HOOK_SECONDS < float(hooks) < float(total) < took, "counted from the beginning, not from the reload"
    lines = await following
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1)), "none is missing, none twice"
    assert lines[-1]["kind"] == "end"
    assert await me.page() == (200, "second on main")
    assert (await _status(me))["uptime_seconds"] >= up
    assert len(postmen) == 1
    assert _postmen(me) == postmen, "containers can send mails all the while"
    kinds = {kind for kind, _ in answers}
    assert kinds == {"status", "webhook", "ls-remote"}
    assert {answer for _, answer in answers} <= {"200", "202", "204", "0"}, "nobody was refused"
    await _refused_reload(me)
    await _token_taken_away(me)


async def _refused_reload(me: Developer) -> None:
    good = me.daemon.settings_file.read_text()
    for bad, what in (
        ("\nfreeze_seconds: many\n", "freeze_seconds"), ("\ncatalogue: /nowhere.yaml\n", "nowhere.yaml"),
        ("\ndocker_socket: /elsewhere.sock\n", "elsewhere.sock"),   # valid, and the daemon does not get ready with it
    ):
        me.daemon.settings_file.write_text(good + bad)
        os.kill(_pid(me), signal.SIGHUP)
        reasons = await _until_reasons(me, what)
        assert "the settings were not read again at" in reasons
        assert "those from before go on" in reasons
    me.daemon.settings_file.write_text(good)
    await _reload(me)
    assert "were not read again" not in str((await _status(me))["reasons"])


async def _token_taken_away(me: Developer) -> None:
    """Who follows with a token that is in the settings no more is let go, and not only at his next request."""
    written = me.daemon.settings_file.read_text()
    extra = "tokens:\n- {name: guest, role: viewer, secret: the-secret-of-a-guest-1, projects: [reloaded]}\n"
    me.daemon.settings_file.write_text(written.replace("tokens:\n", extra, 1))
    await _reload(me)
    headers = {"Authorization": "Bearer the-secret-of-a-guest-1"}
    async with aiohttp.ClientSession(me.daemon.api, headers=headers) as session, session.get(
        "/api/v1/projects/reloaded/environments/main/access-log?follow=1",
    ) as answer:
        assert answer.status == 200
        me.daemon.settings_file.write_text(written)
        await _reload(me)
        try:
            async with asyncio.timeout(END_SECONDS):
                while await answer.content.readany():
                    pass
        except aiohttp.ClientError:
            pass   # cut off


def _pid(me: Developer) -> int:
    pid = me.daemon.running()
    assert pid is not None
    return pid


def _postmen(me: Developer) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == _pid(me) and b"deployd.mail.server" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def _reload(me: Developer) -> None:
    """Have the settings read again, and wait until they were."""
    before = me.daemon.log_file.read_text(errors="replace").count("daemon_ready")
    os.kill(_pid(me), signal.SIGHUP)
    async with asyncio.timeout(END_SECONDS):
        while me.daemon.log_file.read_text(errors="replace").count("daemon_ready") == before:
            await asyncio.sleep(0.05)


async def _status(me: Developer) -> dict[str, Any]:
    async with me.daemon.session() as session, session.get("/status") as answer:
        return dict(await answer.json())


async def _until_reasons(me: Developer, what: str) -> str:
    async with asyncio.timeout(END_SECONDS):
        while what not in (found := str((await _status(me))["reasons"])):
            await asyncio.sleep(0.1)
    return found


async def _when_hook_runs(me: Developer) -> int:
    """The number of the activity."""
    async with me.daemon.session() as session:
        while True:
            async with session.get("/api/v1/activities?project=reloaded&limit=1") as answer:
                [newest] = (await answer.json())["items"]
            if newest["state"] == "in_progress":
                async with session.get(f"/api/v1/activities/{newest['id']}/journal") as answer:
                    if any(entry["step"] == "run_deploy_hook" for entry in (await answer.json())["items"]):
                        return int(newest["id"])
            await asyncio.sleep(0.05)


async def _follow(me: Developer, activity: int) -> list[dict[str, Any]]:
    """All lines, over one connection."""
    lines = []
    async with me.daemon.session() as session, session.get(f"/api/v1/activities/{activity}/log?follow=1") as answer:
        async for line in answer.content:
            if line.strip():
                lines.append(json.loads(line))
    return lines


@asynccontextmanager
async def _asking(me: Developer) -> AsyncIterator[list[tuple[str, str]]]:
    """Ask all the while, each time over a new connection; gives (what, its answer), and asks once more at the end."""
    answers: list[tuple[str, str]] = []
    over = asyncio.Event()

    async def status() -> str:
        async with me.daemon.session() as session, session.get("/status") as answer:
            return str(answer.status)

    async def webhook() -> str:
        signed = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": str(uuid.uuid4()),
                   "Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signed}"}
        async with aiohttp.ClientSession(me.daemon.api) as session, session.post(
            "/hooks/github/forge", data=b"{}", headers=headers,
        ) as answer:
            return str(answer.status)

    async def ls_remote() -> str:
        url = me.daemon.repository_url("reloaded").replace("http://", f"http://x:{me.daemon.token}@")
        return str((await run("git", "ls-remote", url, check=False)).status)

    async def ask(kind: str, once: Any) -> None:
        while True:
            last = over.is_set()
            try:
                answers.append((kind, await once()))
            except (aiohttp.ClientError, OSError) as error:
                answers.append((kind, repr(error)))
            if last:
                return
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        for kind, once in (("status", status), ("webhook", webhook), ("ls-remote", ls_remote)):
            group.create_task(ask(kind, once))
        yield answers
        over.set()
