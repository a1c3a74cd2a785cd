"""What housekeeping sees in a real Docker, and takes from it: replaced images of ours and volumes without a service."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.journal import write_result
from deployd.deployment.kinds import KINDS
from deployd.engine.docker.engine import Engine
from deployd.engine.docker.image_recipes import RECIPE_LABEL
from deployd.engine.specs import VolumeSpec
from deployd.ids import CommitId, EnvironmentId
from deployd.process import run
from deployd.release.paths import Places
from deployd.release.version import ServiceVersion, Version
from deployd.settings import Settings
from deployd.slugs.kept import KeptResults
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.upkeep.collect.look import look
from deployd.upkeep.collect.remove import Removal
from deployd.upkeep.collect.things import Thing
from tests.doubles.store import MemoryStore
from tests.support.upkeep_stand import BASE, MAIN, SHOP


class NoSlugs:
    async def list(self) -> tuple[Any, ...]:
        return ()

    async def all_mounted(self) -> frozenset[str]:
        return frozenset()


class Stand:
    """A live environment with one service, `db`, and what a test makes in Docker under a label of its own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.name, self.store = engine, f"test-collect-{uuid.uuid4().hex[:8]}", MemoryStore()
        (folder / "state").mkdir()
        host: Any = SimpleNamespace(
            settings=Settings(directory=folder, instance=self.name), engine=engine, slugs=NoSlugs(),
            places=Places(folder / "state", folder / "run"), kept=KeptResults(folder / "kept"),
        )
        missing: Any = None
        self._host, self.removal = host, Removal(self.store, host, missing)   # type: ignore[arg-type]

    def push(self) -> int:
        return activities.enqueue(self.store.db, NewActivity(
            KINDS["push"], EnvironmentId(SHOP, MAIN), "main", CommitId("c" * 40), Trigger("ada", "git"),
        ), BASE)

    def make_live(self, image: str) -> None:
        db, number = self.store.db, self.push()
        service = ServiceVersion("db", "mariadb:11.4", image, "digest")
        environments.ensure(db, EnvironmentId(SHOP, MAIN), "main", BASE)
        version = Version(number, CommitId("c" * 40), (), (service,), ())   # type: ignore[arg-type]
        environments.set_live(db, EnvironmentId(SHOP, MAIN), version.activity, write_result(version), BASE)
        activities.begin(db, version.activity, BASE)
        activities.finish(db, version.activity, "success", "", BASE)

    async def image(self, folder: Path, label: str, text: str) -> str:
        """An image under the name of this test; the one before loses the name."""
        folder.mkdir(exist_ok=True)
        (folder / "text").write_text(self.name + text)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY text /text\nCMD [\"none\"]\n")
        made = await run("docker", "build", "--quiet", "--tag", self.name, "--label", f"{label}={text}", str(folder))
        return made.text.strip()

    async def volume(self, service: str) -> str:
        labels = {"deployd": self.name, "deployd.project": SHOP, "deployd.environment": MAIN, "deployd.part": service}
        await self.engine.ensure_volume(VolumeSpec(f"{self.name}-{service}", labels))
        return f"{self.name}-{service}"

    async def look(self) -> dict[tuple[str, str], Thing]:
        return {thing.key: thing for thing in await look(self.store, self._host, BASE, ErrorBoundary("look"))}   # type: ignore[arg-type]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with Engine() as engine:
        stand = Stand(engine, tmp_path)
        yield stand
        for volume in await engine.volumes({"deployd": stand.name}):
            await engine.ensure_volume_gone(volume.name)
        stand.store.close()


async def test_a_replaced_image_of_ours_goes_when_no_version_and_no_container_has_it(
    stand: Stand, tmp_path: Path,
) -> None:
    folder = tmp_path / "image"
    strange = await stand.image(folder, "of.somebody.else", "strange")
    images = [await stand.image(folder, RECIPE_LABEL, text) for text in ("live", "held", "free", "named")]
    live, held, free, named = images
    try:
        await run("docker", "create", "--name", stand.name, "--label", f"deployd={stand.name}", held)
        stand.make_live(live)
        found = await stand.look()
        assert found["image", free].needed_by == ""
        assert found["image", live].needed_by
        assert not {("image", item) for item in (held, named, strange)} & found.keys()
        nameless = (await run("docker", "images", "--quiet", "--no-trunc", "--filter", "dangling=true")).text.split()
        assert {strange, live, held, free} <= set(nameless)
        assert not await stand.removal.remove(Thing("image", held, 0), "ada", BASE)   # taken since the look
        assert await stand.removal.remove(found["image", free], "ada", BASE)
        assert await stand.engine.image(free) is None
        assert await stand.engine.image(held) is not None
        assert await stand.removal.remove(found["image", free], "ada", BASE)   # once more does no harm
    finally:
        await run("docker", "rm", "--force", stand.name, check=False)
        await run("docker", "rmi", "--force", *images, strange, check=False)


async def test_the_volume_of_a_service_goes_when_the_service_did_and_nothing_runs_there(stand: Stand) -> None:
    stand.make_live("image")
    kept, left = await stand.volume("db"), await stand.volume("search")
    found = await stand.look()
    assert (found["volume", kept].needed_by, found["volume", left].needed_by) == (MAIN, "")
    number = stand.push()   # it may want the service again
    assert (await stand.look())["volume", left].needed_by
    assert not await stand.removal.remove(found["volume", left], "ada", BASE)
    activities.begin(stand.store.db, number, BASE)   # type: ignore[arg-type]
    activities.finish(stand.store.db, number, "failed", "", BASE)   # type: ignore[arg-type]
    assert await stand.removal.remove(found["volume", left], "ada", BASE)
    assert [volume.name for volume in await stand.engine.volumes({"deployd": stand.name})] == [kept]
