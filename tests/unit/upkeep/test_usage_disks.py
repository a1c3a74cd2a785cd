"""What mounts and services have on the disk: counted one after the other, and seldom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.engine.names import Names, instance_labels
from deployd.engine.specs import VolumeSpec
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.process import ProgramOverran
from deployd.release.paths import Places
from deployd.upkeep.usage import disks as module
from deployd.upkeep.usage.disks import FIRST_SECONDS, PAUSE_SECONDS, Disks
from deployd.upkeep.usage.parts import Part
from tests.doubles.engine import EngineDouble

pytestmark = pytest.mark.looptime
NAMES = Names("test", EnvironmentId(ProjectId("shop"), EnvironmentName("main")))


async def test_each_part_has_its_own_and_one_that_cannot_be_counted_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[tuple[float, str]] = []

    async def size_of(folder: Path, *, limit_seconds: float) -> int:
        counted.append((asyncio.get_running_loop().time(), folder.name))
        await asyncio.sleep(8.0)
        if folder.name == "shop":
            raise ProgramOverran(("du",), limit_seconds)
        return len(folder.name)

    monkeypatch.setattr(module, "size_of", size_of)
    for name in ("shop", "shop--mailer", "shared"):
        (tmp_path / "environments/shop/main/volumes" / name).mkdir(parents=True)
    boundary = ErrorBoundary("disks")
    engine = EngineDouble(tmp_path / "engine")
    await engine.ensure_volume(VolumeSpec("data", NAMES.labels("volume", "db")))
    await engine.ensure_volume(VolumeSpec("none", instance_labels("test")))
    await engine.ensure_volume(VolumeSpec("of-a-version", NAMES.labels("volume", "x", ActivityId(1))))
    disks = Disks(engine, Places(tmp_path, tmp_path), "test", boundary)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(disks.serve())
        await asyncio.sleep(FIRST_SECONDS + 50)
        assert disks.known == {
            Part("shop", "main", "worker", "shop--mailer"): 12, Part("shop", "main", "shared", "shared"): 6,
            Part("shop", "main", "service", "db"): 4,
        }
        assert boundary.failures == 1
        assert len(counted) == 4
        await asyncio.sleep(PAUSE_SECONDS + 100)
        assert len(counted) == 4, "it took 32 s, so the next round is in an hour"
        await asyncio.sleep(3200)
        assert len(counted) > 4
        serving.cancel()
