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
