"""What visitors get is asked as they ask it, after a push and after a way back, and told. On the running daemon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripts.git_push import Pushed
from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

HOSTILE = """\
<html><head><title>Bad \\x1b[31mRequest</title><script>nothing</script></head>
<body><p>Invalid HTTP_HOST header. You may need to add it to ALLOWED_HOSTS: <b>kept-from-logs-too</b></p></body></html>
"""
ODD = SERVER.replace("        body = ", '''\
        if os.path.exists("/app/refuse") and "localhost" in self.headers["Host"]:
            self.send_response(400)
            self.send_header("Content-Type", "text/html")
            self.send_header("Connection", "close")
            self.end_headers()
            return self.wfile.write(Path("/app/refuse").read_bytes())
        if os.path.exists("/app/data/maintenance"):
            self.send_response(503)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body = ''')
MOUNT = "mounts:\n  data: {source: local, source_path: data}\n"
HOOK = "hooks:\n  deploy: |\n    touch data/maintenance\n    "


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    return await developer("visited", files={"server.py": ODD, ".platform.app.yaml": APP + MOUNT})


async def status(me: Developer) -> dict[str, Any]:
    async with me.daemon.session() as session, session.get("/status") as answer:
        return dict(await answer.json())


async def wrong(me: Developer) -> list[str]:
    """What stands on /status of the project's environments, and with themselves."""
    found = await status(me)
    own = [answer for item in found["environments"] if item["project"] == "visited" for answer in item["answers"]]
    reasons = [reason for reason in found["reasons"] if reason.startswith("visited/main")]
    assert bool(own) == bool(reasons), found
    assert not own or found["state"] == "degraded"
    return reasons


async def test_a_site_that_refuses_everybody_is_told_with_its_status_its_words_and_what_is_meant(me: Developer) -> None:
    await me.write({"refuse": HOSTILE.replace("\\x1b", "\x1b")})
    pushed = await me.push("refuses")
    text = "\n".join(pushed.lines)
    assert pushed.deployed, text
    assert (await me.page("refuses"))[0] == 400
    assert f"visitors get 400 Bad Request at {me.daemon.url('visited', 'refuses')}: Django" in text
    assert "| Bad Request" in text
    assert "| Invalid HTTP_HOST header. You may need to add it to ALLOWED_HOSTS:" in text
    assert "\x1b[31m" not in text
    assert "kept-from-logs-too" not in text, "a secret of the project"
    assert await wrong(me) == [], "it was never better"


async def test_where_the_settings_want_success_such_a_version_is_not_switched_to(me: Developer) -> None:
    assert (await me.push("strict")).deployed
    await me.write({"text": "never", "refuse": "no"})
    pushed = await me.push("strict")
    text = "\n".join(pushed.lines)
    assert not pushed.deployed
    assert f"{me.daemon.url('visited', 'strict')} would answer 400 Bad Request" in text
    assert "`answer: success` is set for strict" in text
    assert await me.page("strict") == (200, "first on strict")


async def test_after_each_way_back_what_visitors_get_is_told_until_it_is_well_again(me: Developer) -> None:
    assert (await me.push()).deployed
    assert await wrong(me) == []
    [flag] = [path.parent / "data" / "maintenance" for path in me.daemon.directory.glob(
        "var/state/environments/visited/main-*/volumes/app/data")]

    async def fails() -> Pushed:
        return await me.push()

    async def is_cancelled() -> Pushed:
        async with asyncio.TaskGroup() as group:
            pushing = group.create_task(me.push())
            async with asyncio.timeout(60), me.daemon.session() as session:
                while not flag.exists():
                    await asyncio.sleep(0.05)
                async with session.get("/api/v1/activities?project=visited&limit=1") as answer:
                    [activity] = (await answer.json())["items"]
                async with session.post(f"/api/v1/activities/{activity['id']}/cancel") as answer:
                    assert answer.status == 202, await answer.text()
        return pushing.result()

    for ends, push in (("exit 4", fails), ("sleep 60", is_cancelled)):
        await me.write({"text": ends, ".platform.app.yaml": APP + MOUNT + f"{HOOK}{ends}\n"})
        pushed = await push()
        text = "\n".join(pushed.lines)
        assert not pushed.deployed
        assert f"on the earlier version visitors get 503 Service Unavailable at {me.daemon.url('visited')}" in text
        assert "(it answered 200 when it became live)" in text
        [reason] = await wrong(me)
        assert "visitors get 503 Service Unavailable at" in reason
        flag.unlink()
        async with asyncio.timeout(60):
            while await wrong(me):
                await asyncio.sleep(0.2)
    assert await me.page() == (200, "first on main")
