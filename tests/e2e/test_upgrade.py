"""An upgrade of deployd: what was live before goes on; it is changed, taken back and removed by this version."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.process import run
from scripts.local_daemon import LocalDaemon, Program
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import Developer, write_start
from tests.support.inventory import ownerless
from tests.support.journal_record import read_live, read_records
from tests.support.version_before import version_before
from tests.support.waiting_hooks import APP, Records, crowd

QUEUE = "workers:\n  queue: {commands: {start: sleep 86400}}\n"
OF_EACH_KIND = {
    ".platform.app.yaml": f'{APP}{QUEUE}relationships:\n  database: "db:mysql"\n  cache: "cache:redis"\n',
    "blog/.platform.app.yaml":
        f"name: blog\ntype: php:8.4\nweb: {{locations: {{/: {{root: web, passthru: /index.php}}}}}}\n{QUEUE}",
    "blog/web/index.php": "<?php echo 'blog';",
    ".platform/services.yaml": "db: {type: 'mariadb:11.8', disk: 512}\ncache: {type: 'redis:8.0'}\n",
    ".platform/routes.yaml": '"https://{default}/": {type: upstream, upstream: "app:http"}\n'
                             '"https://blog.{default}/": {type: upstream, upstream: "blog:http"}\n',
}
SETTINGS = {"production_branch": "live"}   # main may be deleted
LOOKS_SECONDS = 3
"""The new daemon has looked at everything by then, and would have begun to change what it does not like."""


@pytest.fixture
async def me(tmp_path: Path) -> AsyncIterator[Developer]:
    """A developer whose daemon is the version before, and runs."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-upgrade-"))
    daemon = LocalDaemon(directory, {"shop": SETTINGS}, instance=f"test-upgrade-{os.urandom(3).hex()}",
                         settings={"answer_seconds": 15}, program=await version_before(tmp_path / "before"))
    await make_repository(tmp_path / "tree", write_start(tmp_path / "source", {".platform.app.yaml": APP + QUEUE}))
    developer = Developer(daemon, tmp_path / "tree", "shop")
    try:
        await daemon.start(limit_seconds=300)
        yield developer
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


def upgraded(me: Developer) -> Developer:
    return dataclasses.replace(me, daemon=dataclasses.replace(me.daemon, program=Program()))


async def containers(me: Developer) -> set[tuple[str, str, str]]:
    """(name, id, when it was started) of all that run."""
    listed = await run("docker", "ps", "--quiet", "--filter", f"label=deployd={me.daemon.instance}")
    told = await run("docker", "inspect", "--format", "{{.Name}} {{.Id}} {{.State.StartedAt}}", *listed.text.split())
    return {(name, number, at) for name, number, at in map(str.split, told.text.splitlines())}


async def ids(me: Developer) -> set[str]:
    return {number for _, number, _ in await containers(me)}


async def test_what_was_live_goes_on_untouched_and_is_changed_taken_back_and_removed(me: Developer) -> None:
    state = me.daemon.directory / "var" / "state" / "state.db"
    await me.write(OF_EACH_KIND)
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    before, [first] = await containers(me), read_records(state)
    assert len(before) == 9, "the router, two services, two applications with their web servers and workers"
    unchanged = {number for name, number, _ in before if re.search("-router$|-blog-|-db$|-cache$", name)}
    assert len(unchanged) == 6, "all but the application that changes"

    async with crowd(me, size=4) as seen:
        await me.daemon.stop()
        newer = upgraded(me)
        await newer.daemon.start()
        await asyncio.sleep(LOOKS_SECONDS)
        assert await containers(newer) == before, "nothing was made or started anew"

        await newer.write({"text": "second"})
        pushed = await newer.push()
        assert pushed.deployed, pushed.lines
        assert await newer.page() == (200, "second on main")
        there = await ids(newer)
        assert [name for name, number, _ in before if number in unchanged - there] == [], "\n".join(pushed.lines)

        back = await run(
            sys.executable, "-m", "deployd", "rollback", "shop", "main", "--no-lock", "--to", str(first.number),
            "--socket", str(newer.daemon.directory / "var/run/api.sock"), check=False,
        )
        assert back.status == 0, back.text
        assert await newer.page() == (200, "first on main")
        there = await ids(newer)
        assert [name for name, number, _ in before if number in unchanged - there] == [], "\n".join(pushed.lines)
        assert await ownerless(newer.daemon, read_live(state)) == []
    assert {(answer.status, answer.body) for answer in seen} == {(200, "first on main"), (200, "second on main")}

    assert (await newer.push(delete=True)).status == 0
    assert await ownerless(newer.daemon, read_live(state)) == []
    assert len(await containers(newer)) == 1, "the router"
    assert "incident=" not in newer.daemon.log_file.read_text()


async def test_a_deployment_that_the_version_before_began_is_gone_on_with(me: Developer) -> None:
    assert (await me.push()).deployed
    await me.write({"text": "second", "waits": ""})
    assert (await me.push(options=("no-wait",))).status == 0
    records = Records(me.daemon)
    activity, *_ = records.newest("shop")
    await records.entry(activity, "run_deploy_hook", "started")
    async with crowd(me) as seen:
        await me.daemon.stop()
        newer = upgraded(me)
        await newer.daemon.start()
        (next(me.daemon.directory.glob("var/state/environments/shop/*/volumes/app/data")) / "go-second").touch()
        assert await records.end(activity) == ("success", "")
        assert await newer.page() == (200, "second on main")
    assert {(answer.status, answer.body) for answer in seen} == {(200, "second on main")}, "they were held"
    assert await ownerless(newer.daemon, read_live(records.path)) == []
    assert "incident=" not in newer.daemon.log_file.read_text()
