"""git over SSH with the real clients: push, clone, refusals, clients that vanish, a daemon that is restarted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.process import open_process, run
from tests.support.intake_stand import Stand, open_stand, refs_of
from tests.support.ssh_stand import SshStand, make_key, open_ssh_stand


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path, {"shop": {}, "blog": {}}) as stand:
        yield stand


@pytest.fixture
async def stand(tmp_path: Path, intake: Stand) -> AsyncIterator[SshStand]:
    async with open_ssh_stand(tmp_path, intake) as stand:
        yield stand


async def test_a_push_shows_the_log_of_its_deployment_and_a_clone_has_what_was_pushed(
    stand: SshStand, intake: Stand,
) -> None:
    key = stand.make_key("ada")
    commit = await intake.commit({"index.php": "<?php"})
    intake.logs.say("▸ validate", "    nothing to build")
    intake.logs.say()
    intake.logs.say("✓ live at http://main-shop.localhost")
    intake.logs.end()
    pushed = await stand.git(key, "push", stand.repository(), "main")
    told = pushed.stderr.decode()
    for line in ("▸ validate", "✓ live at http://main-shop.localhost", "activity 1: main"):
        assert f"remote: {line}" in told
    assert await refs_of(intake.mirror()) == {"refs/heads/main": commit}
    (push,) = intake.queue.pushes
    assert (push.branch, push.new, push.how, push.who, push.address) == ("main", commit, "git", "ada", "127.0.0.1")
    assert intake.checker.checked == [("main", commit)]
    await stand.git(key, "clone", "--quiet", stand.repository(), "../clone")
    assert (stand.folder / "clone" / "index.php").read_text() == "<?php"


async def test_a_refused_push_changes_nothing_and_says_why(stand: SshStand, intake: Stand) -> None:
    intake.checker.refused = ("cannot read .platform.app.yaml", "hint: correct line 3")
    await intake.commit({"a": "1"})
    pushed = await stand.git(stand.make_key("ada"), "push", stand.repository(), "main", check=False)
    assert pushed.status != 0
    told = pushed.stderr.decode()
    assert "remote: cannot read .platform.app.yaml" in told
    assert "remote: push refused: nothing was changed" in told
    assert "pre-receive hook declined" in told
    assert await refs_of(intake.mirror()) == {}
    assert intake.queue.pushes == []


async def test_no_wait_ends_the_push_as_soon_as_it_is_stored(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"a": "1"})
    pushed = await stand.git(stand.make_key("ada"), "push", "-o", "no-wait", stand.repository(), "main")
    assert "remote: activity 1: main" in pushed.stderr.decode()
    assert intake.logs.followed == []


async def test_who_may_not_push_and_who_may_not_know_are_refused_in_words(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"a": "1"})
    eve, ci = stand.make_key("eve", "viewer"), stand.make_key("ci", projects=("shop",))
    refused = await stand.git(eve, "push", stand.repository(), "main", check=False)
    assert refused.status != 0
    assert "deployd: eve is a viewer of shop and may not push" in refused.stderr.decode()
    hidden = await stand.git(ci, "ls-remote", stand.repository("blog"), check=False)
    assert "deployd: there is no project blog for ci" in hidden.stderr.decode()
    assert intake.queue.pushes == []


async def test_a_branch_is_deleted_and_several_are_pushed_at_once(stand: SshStand, intake: Stand) -> None:
    key = stand.make_key("ada")
    await intake.commit({"a": "1"})
    await stand.git(key, "push", "-o", "no-wait", stand.repository(), "main", "main:one", "main:two")
    assert sorted(await refs_of(intake.mirror())) == ["refs/heads/main", "refs/heads/one", "refs/heads/two"]
    intake.logs.end()
    await stand.git(key, "push", stand.repository(), ":one")
    assert sorted(await refs_of(intake.mirror())) == ["refs/heads/main", "refs/heads/two"]
    assert intake.queue.pushes[-1].deleted


async def test_a_client_that_vanishes_in_mid_pack_changes_nothing(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"large": os.urandom(30_000_000)})
    key = stand.make_key("ada")
    async with open_process(
        "git", "push", stand.repository(), "main", cwd=stand.folder / "work",
        env=stand.environment(key),
    ) as process:
        async with asyncio.timeout(30):
            while not list((intake.mirror().path / "objects").glob("**/tmp_*")):
                await asyncio.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while list((intake.mirror().path / "objects").glob("**/tmp_*")):
            await asyncio.sleep(0.05)
    assert await refs_of(intake.mirror()) == {}
    assert intake.queue.pushes == []
    intake.logs.end()
    await stand.git(key, "push", stand.repository(), "main")
    assert len(intake.queue.pushes) == 1


async def test_twenty_pushes_at_once_all_arrive(stand: SshStand, intake: Stand) -> None:
    key = stand.make_key("ada")
    await intake.commit({"a": "1"})
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(stand.git(
                key, "push", "-o", "no-wait", stand.repository(), f"main:branch-{number}", limit_seconds=120,
            ))
    assert len(await refs_of(intake.mirror())) == 20
    assert len(intake.queue.pushes) == 20


async def test_the_log_of_a_push_goes_on_over_a_restart_of_the_daemon(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"a": "1"})
    intake.logs.say("▸ build", "one")
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def until(text: str) -> None:
        async with asyncio.timeout(20):
            while text not in await seen.get():
                pass

    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(run(
            "git", "push", stand.repository(), "main", cwd=stand.folder / "work",
            env=stand.environment(stand.make_key("ada")), on_line=lambda _, line: seen.put_nowait(line),
        ))
        await until("one")
        await stand.stop_daemon()
        await until("deployd is being restarted; this log goes on when it is back")
        assert not pushing.done()
        intake.logs.say("two")
        await stand.start_daemon()
        await until("two")
        intake.logs.end()
    told = pushing.result().stderr.decode()
    assert told.count("remote: one") == told.count("remote: two") == 1
    assert intake.logs.followed == [1, 1]
    assert intake.logs.from_lines == [0, 2]


async def test_a_daemon_that_goes_in_mid_pack_refuses_the_push_in_words(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"large": os.urandom(30_000_000)})
    key = stand.make_key("ada")
    async with open_process(
        "git", "push", stand.repository(), "main", cwd=stand.folder / "work", env=stand.environment(key),
    ) as process:
        async with asyncio.timeout(30):
            while not list((intake.mirror().path / "objects").glob("**/tmp_*")):
                await asyncio.sleep(0.01)
        await stand.stop_daemon()
        said = (await process.stderr.read()).decode()
        assert await process.wait() != 0
    assert "deployd: deployd was stopped while it took the push: nothing was changed" in said
    assert await refs_of(intake.mirror()) == {}
    await stand.start_daemon()
    intake.logs.end()
    await stand.git(key, "push", stand.repository(), "main")


async def test_a_connection_waits_for_a_daemon_that_is_being_restarted(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"a": "1"})
    key = stand.make_key("ada")
    await stand.stop_daemon()
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(stand.git(key, "push", "-o", "no-wait", stand.repository(), "main"))
        await asyncio.sleep(0.3)
        assert not pushing.done()
        await stand.start_daemon()
    assert b"deployd is being restarted" in pushing.result().stderr
    assert len(intake.queue.pushes) == 1


async def test_an_unknown_key_is_nobodys(stand: SshStand, intake: Stand) -> None:
    await intake.commit({"a": "1"})
    stranger = make_key(stand.folder / "stranger")
    refused = await stand.git(stranger, "push", stand.repository(), "main", check=False)
    assert "Permission denied (publickey)" in refused.stderr.decode()
    assert intake.queue.pushes == []


async def test_a_shallow_clone_is_pushed_from_and_its_log_is_shown(stand: SshStand, intake: Stand) -> None:
    key = stand.make_key("ada")
    await intake.commit({"a": "1"})
    await intake.commit({"a": "2"})
    await stand.git(key, "push", "-o", "no-wait", stand.repository(), "main")
    await stand.git(key, "clone", "--quiet", "--depth=1", stand.repository(), "../shallow")
    intake.logs.say("▸ validate")
    intake.logs.end()
    pushed = await stand.git(key, "-C", "../shallow", "push", stand.repository(), "main:other")
    assert "remote: ▸ validate" in pushed.stderr.decode()
