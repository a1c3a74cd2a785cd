"""A newer push overtakes one that is still being built, where the project wants that."""

from __future__ import annotations

import asyncio
from typing import Any

from deployd.process import run
from tests.support.developer import APP, Developer, MakeDeveloper

SLOW = APP + "hooks:\n  build: |\n    echo begins\n    sleep 300\n"
END_SECONDS = 120.0


async def test_a_push_that_is_being_built_gives_way_to_a_newer_one_and_leaves_nothing(
    developer: MakeDeveloper,
) -> None:
    me = await developer("hasty", files={".platform.app.yaml": SLOW, "text": "never"})
    assert (await me.push(options=("no-wait",))).status == 0
    async with asyncio.timeout(END_SECONDS):
        while not await _containers(me, "build"):
            await asyncio.sleep(0.1)
    await me.write({".platform.app.yaml": APP, "text": "newer"})
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    assert await me.page() == (200, "newer on main")
    newer, older = (await _activities(me))[:2]
    assert (older["state"], older["reason"]) == ("superseded", f"a newer push came: activity {newer['id']}")
    assert await _containers(me, "build") == []


async def _activities(me: Developer) -> list[dict[str, Any]]:
    async with me.daemon.session() as session, session.get(f"/api/v1/activities?project={me.project}") as answer:
        return list((await answer.json())["items"])


async def _containers(me: Developer, role: str) -> list[str]:
    found = await run(
        "docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", f"label=deployd.role={role}",
    )
    return found.text.splitlines()
