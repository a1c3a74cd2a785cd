"""What was put aside is removed by a task that nobody waits for, and that one stubborn tree does not stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.confined.trash import move_to_trash
from deployd.process import run
from deployd.upkeep.going import remove_what_goes


@pytest.fixture
async def other_disk(tmp_path: Path) -> AsyncIterator[Path]:
    folder = tmp_path / "state" / "other"
    folder.mkdir(parents=True)
    await run("mount", "-t", "tmpfs", "tmpfs", str(folder))
    yield folder
    for place in (folder, *tmp_path.glob("going/*/mounted")):
        await run("umount", str(place), check=False)


async def test_a_tree_is_gone_from_its_place_at_once_and_from_the_disk_by_and_by(
    tmp_path: Path, other_disk: Path,
) -> None:
    going, state, boundary = tmp_path / "going", tmp_path / "state", ErrorBoundary("what goes")
    workspace, elsewhere, stubborn = state / "work", other_disk / "work", state / "stubborn"
    for tree in (workspace, elsewhere):
        tree.mkdir()
        for number in range(500):
            (tree / str(number)).write_text("x")
    (stubborn / "mounted").mkdir(parents=True)
    await move_to_trash(state / "nothing", going)
    assert not going.exists()
    await move_to_trash(workspace, going)
    assert not workspace.exists()
    [aside] = going.iterdir()
    assert len(list(aside.iterdir())) == 500
    await move_to_trash(elsewhere, going)   # no rename leads from there: removed on the spot
    assert (elsewhere.exists(), list(going.iterdir())) == (False, [aside])
    await move_to_trash(stubborn, going)
    [bad] = [path for path in going.iterdir() if path != aside]
    bad = bad.rename(going / "0")   # before all others
    await run("mount", "-t", "tmpfs", "tmpfs", str(bad / "mounted"))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        removing = group.create_task(remove_what_goes(going, boundary, round_seconds=0.01))
        while list(going.iterdir()) != [bad]:
            await asyncio.sleep(0.01)
        assert (boundary.failing, boundary.failures) == (1, 1), "counted, and tried again after a pause"
        await run("umount", str(bad / "mounted"))
        await run("rm", "-r", str(bad))   # as it says
        while boundary.failing:
            await asyncio.sleep(0.01)
        removing.cancel()


async def test_on_a_disk_that_is_nearly_full_the_room_is_made_at_once(
    tmp_path: Path, other_disk: Path,
) -> None:
    await run("mount", "-o", "remount,size=2m", str(other_disk))
    tree, going = other_disk / "work", other_disk / "going"
    tree.mkdir()
    (tree / "large").write_bytes(b"x" * 2_000_000)
    await move_to_trash(tree, going)
    assert not tree.exists()
    assert not going.exists()
