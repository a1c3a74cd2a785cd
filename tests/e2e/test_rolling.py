"""`strategy: rolling`: visitors stay on the earlier version while the deploy hook runs, and nobody waits."""

from __future__ import annotations

import asyncio

from deployd.process import run
from tests.support.developer import APP, Developer, MakeDeveloper

HOOKED = APP + """\
mounts:
  var: {source: local, source_path: var}
hooks:
  deploy: |
    test -e var/first || { touch var/first; exit 0; }
    touch var/waits
    while [ ! -e var/go ]; do sleep 0.1; done
workers:
  steady:
    commands: {start: "exec sleep 1000"}
"""
LIMIT_SECONDS = 120.0


async def test_the_earlier_version_serves_while_the_hook_runs_and_workers_never_work_side_by_side(
    developer: MakeDeveloper,
) -> None:
    me = await developer("rolling", files={".platform.app.yaml": HOOKED})
    assert (await me.push()).deployed
    old = await _workers(me)
    await me.write({"text": "second"})
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(me.push())
        async with asyncio.timeout(LIMIT_SECONDS):
            while not await _in_new_app(me, "test -e /app/var/waits"):
                await asyncio.sleep(0.1)
        for _ in range(20):
            assert await me.page() == (200, "first on main")
        assert await _workers(me) == old
        await _in_new_app(me, "touch /app/var/go")
    pushed = pushing.result()
    assert pushed.deployed, pushed.lines
    assert await me.page() == (200, "second on main")
    text = "\n".join(pushed.lines)
    assert "switch: rolling (the earlier version serves until the new one answers)" in text
    assert "requests are held" not in text
    assert text.index("worker app--steady stopped") < text.index("worker steady started")
    [new] = await _workers(me)
    assert new not in old


async def _workers(me: Developer) -> list[str]:
    return await _running(me, "worker")


async def _in_new_app(me: Developer, command: str) -> bool:
    apps = await _running(me, "app")
    newest = max(apps, key=lambda name: int(name.rpartition("-")[2]))
    return len(apps) > 1 and (await run("docker", "exec", newest, "sh", "-c", command, check=False)).status == 0


async def _running(me: Developer, role: str) -> list[str]:
    found = await run(
        "docker", "ps", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", f"label=deployd.role={role}",
    )
    return sorted(found.text.splitlines())
