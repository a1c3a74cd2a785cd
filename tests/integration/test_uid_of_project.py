"""An environment that is live as the user of every project moves to one of its own, and back when that is undone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployd.deployment.steps import PUSH
from deployd.environment.naming import machine_name
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.release.paths import Places
from deployd.release.version import FIRST_UID
from tests.support.deployment_stand import FILES, PROJECT, Stand, deployment_stand, raising, with_step


class FactsOfBefore:
    """Facts of a daemon that knew no users of projects."""

    def __init__(self, facts: Any) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._facts, name)

    async def uid(self, project: str) -> int:
        return FIRST_UID


FAILS = with_step(PUSH, "run_deploy_hook", raising(DeployError("no"), late=True))


def owners(places: Places) -> set[int]:
    """Of everything in the data of the main environment's mounts, but for the folders on the way."""
    data = places.data(EnvironmentId(PROJECT, machine_name("main"))) / "app" / "data"
    return {os.lstat(path).st_uid for path in (data, *data.rglob("*"))}


async def test_data_moves_to_the_projects_own_user_and_back_with_an_undo(tmp_path: Path) -> None:
    async with deployment_stand(tmp_path) as stand:
        await move(stand)


async def move(stand: Stand) -> None:
    now = stand.host
    stand.host = replace(now, facts=FactsOfBefore(now.facts))   # type: ignore[arg-type]
    before = await stand.deploy(await stand.write({**FILES, "text": "before"}))
    assert before.end.state == "success", before.end
    assert owners(now.places) == {FIRST_UID}
    scripts = now.places.instance(EnvironmentId(PROJECT, machine_name("main")), before.activity, "app") / "scripts"
    give(scripts, FIRST_UID)

    stand.host = now
    own = await now.facts.uid(PROJECT)
    assert own >= now.settings.first_uid
    undone = await stand.deploy(await stand.write({"text": "bad"}), FAILS)
    assert undone.end.state == "failed"
    assert owners(now.places) == {FIRST_UID}, "the version before goes on, and writes"
    assert (await stand.page())[0] == 200

    after = await stand.deploy(await stand.write({"text": "after"}))
    assert after.end.state == "success", after.end
    assert owners(now.places) == {own}
    assert await stand.page() == (200, "after on main")


def give(folder: Path, uid: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
