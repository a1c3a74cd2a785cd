"""git over SSH as a person uses it: a key, a push whose log goes on over a restart, a key that is taken away."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from deployd.process import Output, open_process, run
from tests.support.developer import APP, Developer, MakeDeveloper
from tests.support.intake_stand import developer_environment
from tests.support.ssh_stand import make_key

HOOK_SECONDS = 5
SLOW = f"{APP}hooks:\n  build: cat $PLATFORM_CACHE_DIR/kept || date > $PLATFORM_CACHE_DIR/kept\n" \
    f"  deploy: echo one; sleep {HOOK_SECONDS}; echo two\n"
END_SECONDS = 90


async def ask(me: Developer, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    async with me.daemon.session() as session, session.request(method, path, json=body) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def take_in(me: Developer, person: str, folder: Path, role: str = "contributor") -> dict[str, str]:
    """A person with a key; the environment of their git."""
    key = make_key(folder / f"key-of-{person}")
    await ask(me, "POST", "/api/v1/people", {"id": person, "name": person.title(), "roles": {me.project: role}})
    public = key.with_suffix(".pub").read_text()
    await ask(me, "POST", f"/api/v1/people/{person}/keys", {"label": "laptop", "key": public})
    async with asyncio.timeout(END_SECONDS):
        while (there := await ask(me, "GET", "/api/v1/ssh"))["state"] != "listening":
            await asyncio.sleep(0.1)
    (folder / "known_hosts").write_text(there["keys"][0]["known_hosts"].replace("localhost", "127.0.0.1") + "\n")
    ssh = f"ssh -F none -i {key} -o IdentitiesOnly=yes -o UserKnownHostsFile={folder}/known_hosts -o BatchMode=yes"
    return developer_environment() | {"GIT_SSH_COMMAND": ssh}


async def push(me: Developer, env: dict[str, str], *options: str, on_line: Any = None) -> Output:
    return await run(
        "git", "push", "--force", *options, me.daemon.ssh_url(me.project), "HEAD:main", cwd=me.folder, env=env,
        check=False, limit_seconds=300, on_line=on_line,
    )


@pytest.mark.slow
async def test_a_push_over_ssh_its_log_over_a_restart_and_what_it_may_ask_for(
    developer: MakeDeveloper, tmp_path: Path,
) -> None:
    me = await developer("keyed")
    env = await take_in(me, "ada", tmp_path)
    pushed = await push(me, env)
    assert b"remote: " in pushed.stderr
    assert await me.page() == (200, "first on main"), pushed.stderr.decode()
    await me.write({".platform.app.yaml": SLOW, "text": "second"})
    await _restarted_under_a_push(me, env)
    await _options(me, env)
    await _taken_away(me, env)


async def _restarted_under_a_push(me: Developer, env: dict[str, str]) -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(END_SECONDS), asyncio.TaskGroup() as group:
        pushing = group.create_task(push(me, env, on_line=lambda _, line: lines.put_nowait(line)))
        while "│ one" not in await lines.get():
            pass
        pid = me.daemon.running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while me.daemon.running():
            await asyncio.sleep(0.02)
        await me.daemon.start(limit_seconds=END_SECONDS)
    told = pushing.result().stderr.decode()
    assert pushing.result().status == 0, told
    assert "deployd is being restarted; this log goes on when it is back" in told
    assert told.count("│ two") == 1, told
    assert "push of main done in" in told, told
    assert await me.page() == (200, "second on main")
    deeds = (await ask(me, "GET", "/api/v1/audit?project=keyed"))["items"]
    assert [(deed["who"], deed["by"]) for deed in deeds if deed["action"] == "push"][:1] == [("ada", "ssh, key laptop")]


async def _options(me: Developer, env: dict[str, str]) -> None:
    await me.write({"text": "third", ".platform.app.yaml": APP + SLOW.partition(APP)[2].partition("  deploy")[0]})
    stored = await push(me, env, "-o", "no-deploy", "-o", "no-wiat")
    said = stored.stderr.decode()
    assert "the push option no-wiat means nothing here" in said
    assert "is stored at" in said
    assert await me.page() == (200, "second on main")
    await me.write({"text": "fourth"})
    told = (await push(me, env, "-o", "skip-build-cache")).stderr.decode()
    assert "the cache of builds was emptied, as asked" in told, told
    assert await me.page() == (200, "fourth on main")


async def _taken_away(me: Developer, env: dict[str, str]) -> None:
    command = [*env["GIT_SSH_COMMAND"].split(), "-p", str(me.daemon.ssh_port), "-vN", "git@127.0.0.1"]
    async with open_process(*command, env=env) as idle:
        async with asyncio.timeout(END_SECONDS):
            while b"Authenticated to" not in await idle.stderr.readline():
                pass
            await me.daemon.stop()
            await me.daemon.start(limit_seconds=END_SECONDS)
            assert not idle.has_ended, "it outlives a daemon that is restarted in good order"
            await ask(me, "POST", "/api/v1/people/ada/leave")
            said = await idle.stderr.read()
            assert await idle.wait() == 255
    assert b"your key was removed, or its owner has left" in said
    assert b"Permission denied (publickey)" in (await push(me, env)).stderr
