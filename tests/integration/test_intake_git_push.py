"""Pushes with the real git client: accepted, refused, deleted, followed, left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.errors import DeployError
from deployd.intake import receive_hook
from deployd.process import open_process, run
from tests.support.intake_stand import Stand, developer_environment, open_stand, refs_of


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path, {"shop": {}, "blog": {}, "far": {"remote": {
        "url": "https://forge.example/acme/far.git", "forge": "github",
    }}}) as stand:
        yield stand


async def test_an_accepted_push_shows_the_log_of_its_deployment(stand: Stand) -> None:
    commit = await stand.commit({"index.php": "<?php"})
    stand.logs.say("▸ validate", "    nothing to build")
    stand.logs.say()
    stand.logs.say("✓ live at http://main-shop.localhost")
    stand.logs.end()
    pushed = await stand.developer("push", stand.repository(), "main")
    told = pushed.stderr.decode()
    for line in ("▸ validate", "✓ live at http://main-shop.localhost", "activity 1: main"):
        assert f"remote: {line}" in told
    assert await refs_of(stand.mirror()) == {"refs/heads/main": commit}
    (push,) = stand.queue.pushes
    assert (push.branch, push.new, push.old, push.how, push.who) == ("main", commit, "0" * 40, "git", "ada")
    assert stand.checker.checked == [("main", commit)]


async def test_lines_reach_the_pusher_while_the_deployment_runs(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    seen = asyncio.Event()
    stand.logs.say("▸ build")

    def look(_: str, text: str) -> None:
        if "▸ build" in text:
            seen.set()

    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(run(
            "git", "push", stand.repository(), "main", cwd=stand.folder / "work", env=developer_environment(),
            on_line=look,
        ))
        async with asyncio.timeout(20):
            await seen.wait()
        assert not pushing.done()
        stand.logs.end()


async def test_a_refused_push_moves_no_branch_and_says_why(stand: Stand) -> None:
    stand.checker.refused = (".magento.app.yaml:3:1 unknown key 'hoks'", "hint: write 'hooks'")
    await stand.commit({"a": "1"})
    pushed = await stand.developer("push", stand.repository(), "main", "main:other", check=False)
    told = pushed.stderr.decode()
    assert pushed.status != 0
    assert "remote: .magento.app.yaml:3:1 unknown key 'hoks'" in told
    assert "remote: hint: write 'hooks'" in told
    assert "nothing was changed" in told
    assert "pre-receive hook declined" in told
    assert await refs_of(stand.mirror()) == {}
    assert stand.queue.pushes == []


async def test_one_wrong_branch_refuses_the_whole_push(stand: Stand) -> None:
    good = await stand.commit({"a": "1"})
    stand.logs.end()
    await stand.developer("push", stand.repository(), "main")
    stand.checker.refused = ("wrong",)
    await stand.commit({"a": "2"})
    pushed = await stand.developer("push", stand.repository(), "main", ":refs/heads/gone", check=False)
    assert pushed.status != 0
    assert await refs_of(stand.mirror()) == {"refs/heads/main": good}


async def test_a_forced_push_is_taken(stand: Stand) -> None:
    for _ in range(2):
        stand.logs.end()
    await stand.commit({"a": "1"})
    await stand.developer("push", stand.repository(), "main")
    await stand.developer("commit", "--quiet", "--amend", "-m", "Another first")
    await stand.developer("push", "--force", stand.repository(), "main")
    assert len(stand.queue.pushes) == 2


async def test_a_deleted_branch_is_told_and_not_checked(stand: Stand) -> None:
    for _ in range(3):
        stand.logs.end()
    await stand.commit({"a": "1"})
    await stand.developer("push", stand.repository(), "main", "main:feature")
    stand.checker.checked.clear()
    await stand.developer("push", stand.repository(), ":feature")
    assert stand.queue.pushes[-1].deleted
    assert stand.queue.pushes[-1].branch == "feature"
    assert stand.checker.checked == []
    assert list(await refs_of(stand.mirror())) == ["refs/heads/main"]


async def test_production_is_not_deleted_by_a_push(stand: Stand) -> None:
    stand.logs.end()
    await stand.commit({"a": "1"})
    await stand.developer("push", stand.repository(), "main")
    pushed = await stand.developer("push", stand.repository(), ":main", check=False)
    assert pushed.status != 0
    assert "remote: main is production" in pushed.stderr.decode()
    assert list(await refs_of(stand.mirror())) == ["refs/heads/main"]


async def test_tags_are_kept_and_not_deployed(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    await stand.developer("tag", "v1")
    pushed = await stand.developer("push", stand.repository(), "v1")
    assert "remote: refs/tags/v1 is kept; only branches are deployed" in pushed.stderr.decode()
    assert list(await refs_of(stand.mirror())) == ["refs/tags/v1"]
    assert stand.queue.pushes == []


async def test_a_project_with_a_remote_takes_no_pushes(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    pushed = await stand.developer("push", stand.repository(project="far"), "main", check=False)
    assert pushed.status != 0
    assert "remote: the code of far comes from https://forge.example/acme/far.git" in pushed.stderr.decode()
    assert await refs_of(stand.mirror("far")) == {}


async def test_no_wait_ends_the_push_at_once(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    pushed = await stand.developer("push", "--push-option=no-wait", stand.repository(), "main")
    assert "activity 1: main" in pushed.stderr.decode()
    assert stand.logs.followed == []
    assert stand.queue.pushes[0].options == ("no-wait",)


async def test_an_option_of_a_push_cannot_speak_for_another_one(stand: Stand) -> None:
    commit = await stand.commit({"a": "1"})
    option = f"x\nproject blog\nupdate {'0' * 40} {commit} refs/heads/other"
    program = [sys.executable, "-I", "-S", receive_hook.__file__, "post-receive", str(stand.folder / "api.sock")]
    environment = {"DEPLOYD_PROJECT": "shop", "DEPLOYD_WHO": "ada", "GIT_PUSH_OPTION_COUNT": "1",
                   "GIT_PUSH_OPTION_0": option}
    stand.logs.end()
    await run(*program, env=environment, stdin=f"{'0' * 40} {commit} refs/heads/main\n".encode())
    assert [(push.project, push.branch, push.options) for push in stand.queue.pushes] == [("shop", "main", (option,))]


async def test_a_pusher_who_leaves_does_not_stop_the_deployment(stand: Stand) -> None:
    commit = await stand.commit({"a": "1"})
    stand.logs.say("▸ build")
    async with open_process(
        "git", "push", stand.repository(), "main", cwd=stand.folder / "work", env=developer_environment(),
        with_stdin=False,
    ) as process:
        async with asyncio.timeout(20):
            while b"build" not in await process.stderr.readline():
                pass
        os.killpg(process.pid, signal.SIGKILL)
    stand.logs.say("▸ deploy")
    stand.logs.say("▸ route")
    stand.logs.end()
    async with asyncio.timeout(20):
        while not stand.logs.lines.empty():
            await asyncio.sleep(0.05)
    assert await refs_of(stand.mirror()) == {"refs/heads/main": commit}
    assert len(stand.queue.pushes) == 1


async def test_a_daemon_that_stops_in_mid_stream_says_that_the_deployment_goes_on(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    stand.logs.say("▸ build")

    async def stop() -> None:
        while not stand.logs.followed or not stand.logs.lines.empty():
            await asyncio.sleep(0.02)
        await stand.local.cleanup()

    async with asyncio.TaskGroup() as group:
        group.create_task(stop())
        pushing = group.create_task(stand.developer("push", stand.repository(), "main"))
    told = pushing.result().stderr.decode()
    assert "the deployment goes on: `deployd log -f` shows it" in told
    assert "Traceback" not in told


async def test_without_the_daemon_nothing_is_accepted(stand: Stand) -> None:
    await stand.commit({"a": "1"})
    await stand.local.cleanup()
    pushed = await stand.developer("push", stand.repository(), "main", check=False)
    assert pushed.status != 0
    assert "remote: deployd is not running" in pushed.stderr.decode()
    assert await refs_of(stand.mirror()) == {}


async def test_a_push_that_cannot_be_queued_says_so(stand: Stand) -> None:
    stand.queue.broken = DeployError("cannot write state.db: disk full", hint="make room")
    await stand.commit({"a": "1"})
    pushed = await stand.developer("push", stand.repository(), "main", check=False)
    told = pushed.stderr.decode()
    assert "cannot write state.db: disk full" in told
    assert "hint: make room" in told


@pytest.mark.parametrize("secret", ["wrong", "secret-of-ad", "secret-of-ada2", ""])
async def test_a_wrong_token_gets_nothing(stand: Stand, secret: str) -> None:
    await stand.commit({"a": "1"})
    pushed = await stand.developer("push", stand.repository(secret), "main", check=False)
    assert pushed.status != 0
    assert "Authentication failed" in pushed.stderr.decode() or "could not read" in pushed.stderr.decode()
    assert stand.checker.checked == []


async def test_a_viewer_fetches_and_does_not_push(stand: Stand) -> None:
    stand.logs.end()
    await stand.commit({"a": "1"})
    await stand.developer("push", stand.repository(), "main")
    await stand.developer("ls-remote", stand.repository("secret-of-eve"))
    pushed = await stand.developer("push", stand.repository("secret-of-eve"), "main:two", check=False)
    assert pushed.status != 0
    assert "403" in pushed.stderr.decode()
    assert len(stand.queue.pushes) == 1


async def test_a_token_sees_only_its_projects(stand: Stand) -> None:
    listed = await stand.developer("ls-remote", stand.repository("secret-of-ci", "blog"), check=False)
    assert listed.status != 0
    assert "not found" in listed.stderr.decode()
