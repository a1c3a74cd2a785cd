"""Real databases around a deploy hook that spoils them: after a revert they are what they were, row for row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployd.activity.cancellation import Cancellation
from deployd.confined.trees import give_tree
from deployd.deployment.results import Taken
from deployd.deployment.steps import PUSH
from deployd.environment.naming import machine_name
from deployd.errors import DeployError
from deployd.process import run
from tests.support.deployment_stand import (
    PROJECT,
    Stand,
    cancelled_in,
    deployment_stand,
    raising,
    twice,
    undone_twice,
    with_step,
)
from tests.support.hook_that_spoils import FILES, SPOIL, dump

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
SERVICES = ("maria", "post", "cache")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    """With a version live whose databases are full."""
    async with deployment_stand(tmp_path_factory.mktemp("snapshot"), snapshot_before_deploy=True) as found:
        ended = await found.deploy(await found.write(FILES))
        assert ended.end.state == "success", ended.end
        assert ended.journal.result("take_snapshot", Taken).services == ()   # nothing was there before
        yield found


def container(stand: Stand, service: str) -> str:
    return f"{stand.daemon.instance}-{PROJECT}-{machine_name('main')}-{service}"


async def dumps(stand: Stand) -> dict[str, list[str]]:
    """{service: lines of its dump}"""
    return {service: (await dump(container(stand, service), service)).splitlines() for service in SERVICES}


def difference(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """Lines that are not in both."""
    return [line for name in one for line in unified_diff(one[name], other[name], name, name, lineterm="", n=0)]


async def started_at(stand: Stand) -> list[datetime | None]:
    found = [await stand.host.engine.container(container(stand, service)) for service in SERVICES]
    return [seen.started_at if seen else None for seen in found]


SPOIL_MOUNT = """\
touch data/.maintenance.flag
echo more >> data/log
rm -r data/media && ln -s /etc data/media
"""


async def mount(stand: Stand) -> Path:
    [folder] = stand.host.settings.state.glob("environments/*/*/volumes/app/data")
    return folder


async def mounted(stand: Stand) -> str:
    """All that is in the mount, with contents, owners, bits and times."""
    return (await run("sh", "-c", "find . -printf '%P %y %m %U %G %T@ %l\\n' | sort; cat log media/picture",
                      cwd=await mount(stand))).text


def snapshots(stand: Stand) -> list[Path]:
    return list(stand.host.settings.state.glob("environments/*/*/snapshots/*"))


async def test_a_failed_migration_is_undone_row_for_row_and_the_old_version_serves(stand: Stand) -> None:
    folder = await mount(stand)
    (folder / "media").mkdir()
    (folder / "media/picture").write_text("picture\n")
    (folder / "log").write_text("one\n")
    await give_tree(folder, folder.stat().st_uid)
    before, world, files = await dumps(stand), await stand.world(), await mounted(stand)
    script = f"{SPOIL_MOUNT}\n{SPOIL}\nexit 1\n"
    ended = await stand.deploy(await stand.write({"text": "never", "migrate.sh": script}))
    assert ended.end.state == "failed"
    assert "deploy hook" in ended.end.reason
    assert difference(before, await dumps(stand)) == []
    assert await mounted(stand) == files
    assert await stand.page() == (200, "first on main")
    assert await stand.world() == world
    taken = ended.journal.result("take_snapshot", Taken)
    assert (set(taken.services), taken.mounts) == (set(SERVICES), ("app/data",))
    log = stand.host.places.logs.joinpath(f"{ended.activity}.jsonl").read_text()
    assert "snapshot of" in log
    assert "as before the deploy hook again" in log
    assert snapshots(stand) == []


async def test_a_cancel_after_the_migration_undoes_it_and_both_ways_may_be_gone_twice(stand: Stand) -> None:
    before = await dumps(stand)
    cancellation = Cancellation()
    commit = await stand.write({"text": "never", "migrate.sh": SPOIL})
    table = with_step(with_step(PUSH, "take_snapshot", twice), "wait_until_healthy", cancelled_in(stand, cancellation))
    table = replace(table, steps=tuple(undone_twice(step) for step in table.steps))
    ended = await stand.deploy(commit, table, cancellation=cancellation)
    assert ended.end.state == "cancelled"
    assert difference(before, await dumps(stand)) == []
    assert await stand.page() == (200, "first on main")


async def test_a_failure_before_the_hook_leaves_the_databases_alone(stand: Stand) -> None:
    before = await dumps(stand)
    started = await started_at(stand)
    table = with_step(PUSH, "take_snapshot", raising(DeployError("injected"), late=True))
    ended = await stand.deploy(await stand.write({"migrate.sh": SPOIL}), table)
    assert ended.end.reason == "injected"
    assert await started_at(stand) == started, "nobody restarted them"
    assert difference(before, await dumps(stand)) == []
    assert snapshots(stand) == []


async def test_without_room_the_hook_does_not_run_and_the_error_says_what_is_lacking(stand: Stand) -> None:
    before = await dumps(stand)

    def in_want(do: Any) -> Any:
        async def take(view: Any, host: Any, tell: Any) -> Any:
            settings = host.settings.model_copy(update={"min_free_disk_mb": 10**9})
            return await do(view, replace(host, settings=settings), tell)
        return take

    ended = await stand.deploy(await stand.write({"migrate.sh": SPOIL}), with_step(PUSH, "take_snapshot", in_want))
    assert ended.end.state == "failed"
    assert "MB are free" in ended.end.reason
    assert ended.journal.last("run_deploy_hook") is None
    assert difference(before, await dumps(stand)) == []
    assert await stand.page() == (200, "first on main")
    assert snapshots(stand) == []


async def test_after_success_the_new_data_stay_and_what_was_left_out_of_the_snapshot_is_told(stand: Stand) -> None:
    before = await dumps(stand)
    (await mount(stand) / "large").write_bytes(b"x" * 2_000_000)

    def within_a_megabyte(do: Any) -> Any:
        async def take(view: Any, host: Any, tell: Any) -> Any:
            settings = host.settings.model_copy(update={"snapshot_mounts_mb": 1})
            return await do(view, replace(host, settings=settings), tell)
        return take

    table = with_step(PUSH, "take_snapshot", within_a_megabyte)
    ended = await stand.deploy(await stand.write({"text": "second", "migrate.sh": SPOIL}), table)
    assert ended.end.state == "success", ended.end
    taken = ended.journal.result("take_snapshot", Taken)
    assert (set(taken.services), taken.mounts) == (set(SERVICES), ())
    log = stand.host.places.logs.joinpath(f"{ended.activity}.jsonl").read_text()
    assert "the mount app/data is not in the snapshot: more than 1 MB would have to be copied" in log
    assert await stand.page() == (200, "second on main")
    after = await dumps(stand)
    assert all(after[service] != before[service] for service in SERVICES)
    assert snapshots(stand) == []
