"""Builds on layers of earlier ones, with the real Engine and overlayfs: what is taken over, by whom, after a crash."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployd.confined.trees import bytes_to_read
from deployd.deployment.desired import Candidate, find_wanted
from deployd.deployment.results import Planned
from deployd.deployment.steps import PUSH
from deployd.environment.naming import machine_name
from deployd.ids import ActivityId, EnvironmentId, ProjectId, SlugKey
from deployd.plan import PlannedStage
from deployd.release.configuration import config_of
from deployd.release.release import Environment
from deployd.slugs.kept import KeptResults
from deployd.slugs.layers import Top, ensure_no_tree, ensure_tree, why_no_layers
from deployd.slugs.mount import mounts_below
from tests.support.deployment_stand import PROJECT, Ended, Stand, deployment_stand, done_twice, with_step

OF_STAND = pytest.mark.asyncio(loop_scope="module")
OWNER = 12_345
HOOK = """\
name: app
type: php:8.2
web: {locations: {"/": {root: "", passthru: /index.php}}}
hooks:
  build: |
    cat vendor/acme/lib/text text > built
    %s
    for file in vendor/acme/lib/text vendor/autoload.php; do echo spoilt > $file; done
"""
LOCK = {
    "content-hash": "", "packages": [{
        "name": "acme/lib", "version": "1.0.0", "type": "library", "dist": {
            "type": "path", "url": "packages/lib", "reference": "1",
        }, "transport-options": {"symlink": False, "relative": True},
    }], "packages-dev": [], "aliases": [], "minimum-stability": "dev", "stability-flags": {}, "prefer-stable": False,
    "prefer-lowest": False, "platform": {}, "platform-dev": {}, "plugin-api-version": "2.3.0",
}
FILES = {
    ".platform.app.yaml": HOOK % "true", "index.php": "<?php readfile('built');\n", "text": "first",
    ".platform/services.yaml": "",
    "packages/lib/composer.json": '{"name": "acme/lib", "version": "1.0.0"}', "packages/lib/text": "of the package, ",
    "composer.json": json.dumps({
        "require": {"acme/lib": "1.0.0"}, "config": {"autoloader-suffix": "Acme"}, "repositories": [
            {"type": "path", "url": "packages/lib", "options": {"symlink": False}}, {"packagist.org": False},
        ],
    }),
    "composer.lock": json.dumps(LOCK),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with deployment_stand(tmp_path_factory.mktemp("layers")) as found:
        yield found


def stages(ended: Ended) -> dict[str, PlannedStage]:
    plan = ended.journal.result("read_and_plan", Planned).plan
    return {stage.name or stage.title: stage for stage in plan.apps[0].stages}


def taken(ended: Ended) -> set[str]:
    return {name for name, stage in stages(ended).items() if stage.taken}


@OF_STAND
async def test_what_a_hook_has_spoilt_is_not_what_the_next_build_takes_over(stand: Stand) -> None:
    first = await stand.deploy(await stand.write(FILES))
    assert (first.end.state, taken(first)) == ("success", set()), stand.told(first)
    assert await stand.page() == (200, "of the package, first")
    world = await stand.world()
    second = await stand.deploy(await stand.write({"text": "second"}))
    assert (second.end.state, taken(second)) == ("success", {"packages", "autoloader"}), stand.told(second)
    assert await stand.page() == (200, "of the package, second")
    assert len((await stand.world())["mounts"]) == len(world["mounts"]), "layers are not mounted any more"


@OF_STAND
async def test_where_the_repository_has_a_file_of_its_own_now_the_step_is_done_again(stand: Stand) -> None:
    await stand.deploy(await stand.write(FILES))
    ended = await stand.deploy(await stand.write({"vendor/acme/lib/more": "mine"}))
    assert ended.end.state == "success", stand.told(ended)
    assert stages(ended)["packages"].why == "vendor/acme/lib/more changed", "what is in vendor may be run by composer"
    (stand.tree / "vendor/acme/lib/more").unlink()


@OF_STAND
async def test_a_build_that_is_done_twice_goes_on_with_the_layers_that_it_has(stand: Stand) -> None:
    changed = {"packages/lib/text": f"{time.time()}, ", "text": "twice"}   # nothing of it is taken over
    table = replace(PUSH, steps=tuple(done_twice(step) if step.phase == "build" else step for step in PUSH.steps))
    ended = await stand.deploy(await stand.write({**FILES, **changed}), table)
    assert (ended.end.state, taken(ended)) == ("success", set()), stand.told(ended)
    assert await stand.page() == (200, f"{changed['packages/lib/text']}twice")


@OF_STAND
@pytest.mark.parametrize("kills", [False, True], ids=["the daemon", "the host"])
async def test_a_build_goes_on_after_a_crash_of(stand: Stand, kills: bool) -> None:
    """The daemon's end leaves the container of the hook running; the host's ends that, too."""
    files = {**FILES, ".platform.app.yaml": HOOK % "sleep 3", "text": f"after a crash {kills}"}
    commit = await stand.write(files)

    def wrap(do: Any) -> Any:
        async def interrupted(view: Any, host: Any, tell: Any) -> Any:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(do(view, host, tell))
                name = view.names.container(view.id, "build", "app.2")
                while (there := await host.engine.container(name)) is None or not there.running:
                    assert not task.done(), stand.told(Ended(view.id, None, None))   # type: ignore[arg-type]
                    await asyncio.sleep(0.05)
                task.cancel()
            if kills:
                subprocess.run(["docker", "kill", name], check=True, capture_output=True)
            return await do(view, host, tell)
        return interrupted

    ended = await stand.deploy(commit, with_step(PUSH, "build_apps", wrap))
    assert ended.end.state == "success", stand.told(ended)
    assert await stand.page() == (200, f"of the package, after a crash {kills}")


@OF_STAND
async def test_a_protected_environment_takes_over_nothing_that_a_branch_has_made(stand: Stand) -> None:
    commit = await stand.write({**FILES, "text": "to be protected"})
    await stand.deploy(await stand.write({**FILES, "text": "of a branch"}))
    of = stand.host.settings.projects[PROJECT]
    environment = EnvironmentId(PROJECT, machine_name("main"))
    found = {}
    protected = type(of).model_validate({**of.model_dump(), "environments": {"main": {"protected": True}}})
    for name, project in (("open", of), ("protected", protected)):
        place = Environment(stand.host.settings.instance, project, environment, "main")
        candidate = Candidate(place, ActivityId(0), commit, await config_of(project, commit, stand.host))
        wanted = await find_wanted(stand.host, candidate, None, lambda _: None)
        found[name] = {stage.name for stage in wanted.apps[0].stages if stage.taken}
    assert found == {"open": {"packages", "autoloader"}, "protected": set()}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for path in sorted(tmp_path.rglob("tree")):
        subprocess.run(["umount", "--lazy", str(path)], check=False, capture_output=True)


def top(folder: Path, name: str) -> Top:
    for path in (folder / name, folder / f"{name}-kernel"):
        path.mkdir()
    return Top(folder / name, folder / f"{name}-kernel")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_a_packed_layer_shows_what_was_written_removed_and_replaced_and_is_never_changed(folder: Path) -> None:
    base, store = folder / "base", KeptResults(folder / "kept").of(ProjectId("shop"), "open")
    for name in ("stays", "gone", "old/a", "old/b"):
        write(base / name, "of the base")
    one = top(folder, "one")
    tree = await ensure_tree(folder / "trees" / "1", [base], one, moves_folders=False)
    write(tree / "new", "of the layer")
    (tree / "gone").unlink()
    subprocess.run(["rm", "-r", str(tree / "old")], check=True)
    write(tree / "old/c", "of the layer")
    await ensure_no_tree(folder / "trees" / "1")
    key = SlugKey("a" * 64)
    slug = await store.pack(one.upper, key, owner=OWNER, about={"over": {}})
    checksum = slug.checksum

    two = top(folder, "two")
    tree = await ensure_tree(folder / "trees" / "2", [base, store.path(key)], two, moves_folders=True)
    seen = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())
    assert seen == ["new", "old/c", "stays"]
    assert (tree / "new").stat().st_uid == OWNER
    assert await bytes_to_read(tree) > len("of the layer") * 2 + len("of the base"), "all files count as one disk's"
    assert {path.stat().st_dev for path in tree.rglob("*")} == {tree.stat().st_dev}
    with (tree / "new").open("a") as file:
        file.write(", and of a hook")
    os.rename(tree / "old", tree / "moved")
    assert (tree / "moved/c").read_text() == "of the layer"
    await ensure_no_tree(folder / "trees")
    assert await mounts_below(folder) == ()
    assert (await store.verify(key)).checksum == checksum
    assert not (folder / "trees").exists()


async def test_where_layers_cannot_be_put_together_nothing_is_taken_over(folder: Path) -> None:
    assert await why_no_layers(folder / "fine") == ""
    under = top(folder, "under")
    (folder / "lower").mkdir()
    tree = await ensure_tree(folder / "trees", [folder / "lower"], under, moves_folders=True)
    assert await why_no_layers(tree / "state"), "an overlay cannot be written into on an overlay"
    assert not await KeptResults(tree / "kept").can_be_used()
    await ensure_no_tree(folder / "trees")


async def test_each_project_keeps_what_it_used_last_within_its_share_and_its_zones_apart(tmp_path: Path) -> None:
    kept, shop = KeptResults(tmp_path / "kept"), ProjectId("shop")
    for number, zone in enumerate(("open", "open", "protected")):
        layer = tmp_path / f"{number}"
        write(layer / "file", os.urandom(400_000).hex())
        await kept.of(shop, zone).pack(layer, SlugKey(f"{number}" * 64), owner=OWNER, about={"key": "k"})
        os.utime(tmp_path / f"kept/shop/{zone}" / f"{str(number) * 64}.json", (number, number))
    assert [key[0] for key, _ in await kept.find(shop, "open", SlugKey("k"))] == ["1", "0"]
    assert [key[0] for key, _ in await kept.find(shop, "protected", SlugKey("k"))] == ["2"]
    assert await kept.find(ProjectId("other"), "open", SlugKey("k")) == []
    (tmp_path / "kept/shop/open" / f"{'3' * 64}.x.part").write_text("half")
    await kept.sweep()
    assert await kept.ensure_in_bounds(shop, 1, now=10_000.0) == 1
    assert [item.key[0] for item in await kept.all(shop)] == ["2", "1"]
    assert await kept.ensure_in_bounds(shop, 0, now=10.0) == 0, "a build may be planned with them"
    assert sorted(path.suffix for path in (tmp_path / "kept/shop/open").iterdir()) == [".json", ".squashfs"]
