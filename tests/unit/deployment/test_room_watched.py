"""Who writes more than a build may is ended: builds, and source operations in their clones."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.deployment.build_quota import BuildTooLarge, room_watched
from deployd.deployment.source_container import OWN_FOLDER, source_folder
from deployd.ids import ActivityId
from deployd.release.paths import Places
from deployd.units import MEGABYTE


class Engine:
    def __init__(self) -> None:
        self.gone: list[str] = []

    async def ensure_container_gone(self, name: str, *, stop_seconds: float) -> None:
        self.gone.append(name)


@pytest.mark.parametrize(("beside", "folder", "what"), [
    ("", "app", "the build of app"), (OWN_FOLDER, OWN_FOLDER, "the source operation of app"),
])
async def test_what_it_writes_is_counted_wherever_it_writes(
    tmp_path: Path, beside: str, folder: str, what: str,
) -> None:
    shares = SimpleNamespace(build_mb=1, build_files=1_000)
    engine, places = Engine(), Places(tmp_path, tmp_path / "run")
    host: Any = SimpleNamespace(
        engine=engine, places=places, settings=SimpleNamespace(shares_of=lambda project: shares))
    deployment: Any = SimpleNamespace(id=ActivityId(7), project=SimpleNamespace(id="shop"), zone="open")
    clone = places.work(deployment.id) / folder / "app"
    clone.mkdir(parents=True)
    (clone / "large").write_bytes(b"x" * 3 * MEGABYTE)

    async def run() -> None:
        async with room_watched(deployment, host, "app", "container", look_seconds=0.01, beside=beside):
            await asyncio.Event().wait()

    with pytest.raises(BuildTooLarge, match=f"{what} was ended"):
        await run()
    assert engine.gone == ["container"]
    assert source_folder(deployment, host) == places.build_of(deployment.id, OWN_FOLDER)
