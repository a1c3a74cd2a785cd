"""What takes up the disk: by kind, what housekeeping counts and what nobody else does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.engine.observed import VolumeSeen
from deployd.release.paths import Places
from deployd.upkeep.collect.collector import Round
from deployd.upkeep.collect.look import UNCOUNTED_BYTES
from deployd.upkeep.collect.things import Thing
from deployd.upkeep.usage import disk_kinds as module
from deployd.upkeep.usage.disk_kinds import DiskKind, DiskKinds, by_kind, left_over
from deployd.upkeep.usage.parts import Part

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
THINGS = (
    Thing("slug", "a", 100, needed_by="an environment"), Thing("slug", "b", 50),
    Thing("cache", "shop", UNCOUNTED_BYTES),
    Thing("image", "old", 7), Thing("log", "1", 7), Thing("volume", "db", 30),
)


def test_a_kind_counts_what_is_needed_too_and_says_what_could_not_be_counted() -> None:
    assert by_kind(THINGS) == {"slug": (150, 0), "cache": (0, 1), "volume": (30, 0)}


def test_the_rest_is_what_nobody_knows_of_on_this_disk() -> None:
    kinds = [DiskKind("slug", 150), DiskKind("image", 1000, elsewhere=True)]
    assert left_over(kinds, 200) == 50
    assert left_over(kinds, 100) == 0


class Stand:
    """Housekeeping, Docker and the count of mounts."""

    known = {Part("shop", "main", "app", "app"): 11, Part("shop", "main", "service", "db"): 30}   # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def survey(self) -> tuple[tuple[Thing, ...], Round]:
        return THINGS, Round(NOW, (), short=False)

    async def volumes(self, labels: dict[str, str]) -> tuple[VolumeSeen, ...]:
        return (VolumeSeen("data", {}, self._folder),)

    async def images_bytes(self) -> int:
        raise OSError("Docker is away")

    def now(self) -> datetime:
        return NOW


async def test_one_kind_that_cannot_be_counted_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def size_of(folder: Path, *, limit_seconds: float) -> int:
        return {"logs": 5, "repos": 9, "state.db": 3}.get(folder.name, 0)

    monkeypatch.setattr(module, "size_of", size_of)
    stand: Any = Stand(tmp_path)
    found = DiskKinds(stand, Places(tmp_path, tmp_path), stand, stand, stand, ErrorBoundary("disks"), "test")
    assert found.known is None
    await found.count()
    assert found.known is not None
    assert [(item.kind, item.size_bytes) for item in found.known.kinds] == [
        ("slug", 150), ("volume", 30), ("mount", 11), ("repository", 9), ("log", 5), ("database", 3), ("cache", 0),
    ]
