"""What goes wrong is said in plain words where the person looks, and visitors notice nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from deployd.process import run
from tests.support.developer import APP, Developer, MakeDeveloper


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    """A developer whose first version is live."""
    made = await developer("broken")
    pushed = await made.push()
    assert await made.page() == (200, "first on main"), pushed.lines
    return made


async def test_a_configuration_error_refuses_the_push_and_names_the_place(me: Developer) -> None:
    await me.write({".platform.app.yaml": APP.replace("type: python:3.13", "type: pyton:3.13")})
    pushed = await me.push()
    text = "\n".join(pushed.lines)
    assert pushed.status != 0
    assert ".platform.app.yaml:2:7" in text
    assert "python" in text, "the nearest spelling is offered"
    assert "remote rejected" in text
    assert await me.page() == (200, "first on main")


async def test_all_that_is_wrong_is_told_at_once_with_the_list_of_versions_that_are_there(me: Developer) -> None:
    await me.write({".platform.app.yaml": APP.replace("3.13", "3.8") + "hokes: {}\n"})
    pushed = await me.push()
    text = "\n".join(pushed.lines)
    assert pushed.status != 0
    assert "there is python:2.7, python:3.9, python:3.11, python:3.13" in text
    assert "did you mean `hooks`?" in text
    assert await me.page() == (200, "first on main")


async def test_what_linux_starts_nothing_with_is_refused_with_its_name_and_size(me: Developer) -> None:
    await me.write({".platform.app.yaml": APP + f"hooks:\n  deploy: '{'x' * 140_000}'\n"})
    pushed = await me.push()
    text = "\n".join(pushed.lines)
    assert pushed.status != 0
    assert "PLATFORM_APPLICATION of app would have 18" in text
    assert "most of it hooks.deploy (140,0" in text
    assert await me.page() == (200, "first on main")


async def test_a_failing_build_says_which_command_with_its_status_and_last_lines(me: Developer) -> None:
    hook = "hooks:\n  build: |\n    echo the reason\n    exit 3\n"
    await me.write({"text": "never", ".platform.app.yaml": APP + hook})
    text = "\n".join((await me.push()).lines)
    assert "the build hook of app ended with exit code 3" in text
    assert ".platform.app.yaml:7" in text
    assert "| the reason" in text
    assert "visitors see the version before" in text
    assert await me.page() == (200, "first on main")
    assert await _containers(me, "build") == []


async def test_a_failing_deploy_hook_thaws_to_the_old_version_and_removes_the_new(me: Developer) -> None:
    hook = "hooks:\n  deploy: |\n    echo no column\n    exit 4\n"
    await me.write({"text": "never", ".platform.app.yaml": APP + hook})
    text = "\n".join((await me.push()).lines)
    assert "the deploy hook of app ended with exit code 4" in text
    assert "| no column" in text
    assert "visitors: on the earlier version again" in text
    assert await me.page() == (200, "first on main")
    assert len(await _containers(me, "app")) == 1


async def test_a_deployment_that_is_reverted_tells_by_the_api_what_its_freeze_did(me: Developer) -> None:
    hook = "hooks:\n  deploy: |\n    sleep 3\n    exit 4\n"
    await me.write({"text": "never", ".platform.app.yaml": APP + hook})
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(me.push())
        async with asyncio.timeout(120):
            while (await _timed_page(me))[0] < 0.5:
                await asyncio.sleep(0.05)
    assert not pushing.result().deployed
    assert "1 requests waited, the longest" in "\n".join(pushing.result().lines)
    async with me.daemon.session() as session:
        async with session.get("/api/v1/activities?project=broken&limit=1") as answer:
            [activity] = (await answer.json())["items"]
        async with session.get(f"/api/v1/activities/{activity['id']}/journal") as answer:
            entries = (await answer.json())["items"]
    [did] = [entry["freeze"] for entry in entries if entry["freeze"]]
    assert (did["held"], did["expired"], did["left"], did["refused"]) == (1, 0, 0, 0)
    assert did["longest_wait_seconds"] >= 0.5


async def _timed_page(me: Developer) -> tuple[float, int]:
    """(seconds until the page came, its status)"""
    began = time.monotonic()
    status, _ = await me.page()
    return time.monotonic() - began, status


async def test_an_application_that_does_not_listen_is_named_with_its_own_last_lines(me: Developer) -> None:
    await me.write({"text": "never", ".platform.app.yaml": APP.replace(
        "python3 server.py", "echo I am lost; PORT=9999 python3 server.py")})
    text = "\n".join((await me.push()).lines)
    assert "app does not answer after" in text
    assert "it listens on 9999 instead" in text
    assert "| I am lost" in text
    assert await me.page() == (200, "first on main")
    assert len(await _containers(me, "app")) == 1


async def test_a_wrong_token_is_refused_and_the_secret_is_not_logged(me: Developer) -> None:
    url = me.daemon.repository_url("broken").replace("http://", "http://me:wrong-secret-1@")
    answer = await run("git", "-c", "credential.helper=", "ls-remote", url, check=False,
                       env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "no_proxy": "127.0.0.1"})
    assert answer.status != 0
    log = me.daemon.log_file.read_text()
    assert "sign_in_failed" in log
    assert "127.0.0.1" in log
    assert "wrong-secret-1" not in log


async def _containers(me: Developer, role: str) -> list[str]:
    found = await run(
        "docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", f"label=deployd.role={role}",
    )
    return found.text.splitlines()
