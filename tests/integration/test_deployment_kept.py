"""Two applications of which one changes: the other goes on in its containers, and its hooks run all the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from deployd.deployment.results import AppsUp
from deployd.deployment.steps import PUSH, ROLLBACKS
from deployd.environment.naming import machine_name
from deployd.errors import DeployError
from deployd.ids import ActivityId, EnvironmentId
from deployd.state import unneeded
from deployd.upkeep.ownership import read_live
from deployd.upkeep.recreate import recreate
from tests.support.deployment_stand import PROJECT, Ended, Stand, deployment_stand, done_twice, raising, with_step
from tests.support.developer import SERVER

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

APPS = "".join(f"""\
- name: {name}
  type: python:3.13
  source: {{root: {name}}}
  relationships: {{{needed}}}
  web: {{commands: {{start: python3 server.py}}}}
  workers: {{tick: {{commands: {{start: exec sleep 1000}}}}}}
  mounts: {{data: {{source: local, source_path: data}}}}
  hooks:
    deploy: echo deploy >> data/ran
    post_deploy: echo post >> data/ran
""" for name, needed in {"back": "", "front": 'api: "back:http"'}.items())
ROUTES = """\
"http://{default}/": {type: upstream, upstream: "front:http", cache: {enabled: false}}
"http://{default}/back": {type: upstream, upstream: "back:http", cache: {enabled: false}}
"""
FILES = {
    ".platform/applications.yaml": APPS, ".platform/routes.yaml": ROUTES, ".platform/services.yaml": "",
    **{f"{name}/{file}": text for name in ("back", "front") for file, text in
       {"server.py": SERVER, "text": f"{name} first"}.items()},
}
PARTS = ("app", "web", "worker")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with deployment_stand(tmp_path_factory.mktemp("kept")) as found:
        yield found


async def ids_of(stand: Stand, app: str) -> dict[str, str]:
    """{name of a container of an application: its id}, of those that run"""
    found = await stand.host.engine.containers({"deployd": stand.host.settings.instance})
    return {
        item.name: item.id for item in found
        if item.running and item.labels.get("deployd.part") in (app, f"{app}--tick")
    }


def ran(stand: Stand, app: str) -> list[str]:
    data = stand.host.places.data(EnvironmentId(PROJECT, machine_name("main")))
    return (data / app / "data" / "ran").read_text().split()


async def pages(stand: Stand) -> list[str]:
    found = []
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/back"):
            url = URL(stand.daemon.url(PROJECT, "main", path))
            async with session.get(url.with_host("127.0.0.1"), headers={"Host": url.authority}) as answer:
                found.append(await answer.text())
    return found


def kept(ended: Ended) -> dict[str, ActivityId]:
    return dict(ended.journal.result("start_apps", AppsUp).kept)


async def test_an_application_of_which_nothing_has_changed_goes_on_in_its_containers(stand: Stand) -> None:
    first = await stand.deploy(await stand.write(FILES))
    assert first.end.state == "success", stand.told(first)
    back, front = await ids_of(stand, "back"), await ids_of(stand, "front")
    assert (len(back), len(front), kept(first)) == (3, 3, {})
    for number in (2, 3):   # what the hooks of the second one left is not taken for those of the third
        twice = PUSH if number == 2 else replace(PUSH, steps=tuple(done_twice(step) for step in PUSH.steps))
        ended = await stand.deploy(await stand.write({"front/text": f"front {number}"}), twice)
        assert ended.end.state == "success", stand.told(ended)
        assert kept(ended) == {"back": first.activity}
        assert await ids_of(stand, "back") == back
        assert not set((await ids_of(stand, "front")).values()) & set(front.values())
        assert await pages(stand) == [f"front {number} on main", "back first on main"]
        assert ran(stand, "back") == ran(stand, "front") == ["deploy", "post"] * number
    world = await stand.world()
    assert len(world["containers"]) == 7, world["containers"]   # and the router
    versions = {file.split("/")[4] for file in world["files"] if "/versions/" in file}
    assert versions == {str(first.activity), str(ended.activity)}
    assert [file for file in world["files"] if file.endswith(f"/versions/{first.activity}/front")] == []
    await stay_and_go(stand, first)


async def stay_and_go(stand: Stand, first: Ended) -> None:
    """What makes new containers, what does not, and what is made again."""
    back, world = await ids_of(stand, "back"), await stand.world()
    in_use = await stand.resources.store.read(lambda db: unneeded.is_in_use(db, str(first.activity)))
    assert in_use, "housekeeping leaves its folder alone"

    table = with_step(PUSH, "run_deploy_hook", raising(DeployError("injected"), late=True))
    failed = await stand.deploy(await stand.write({"front/text": "never"}), table)
    assert failed.end.reason == "injected"
    assert (await ids_of(stand, "back"), await stand.world()) == (back, world), "workers too"
    assert await pages(stand) == ["front 3 on main", "back first on main"]

    live = await read_live(stand.resources.store, stand.host.settings, EnvironmentId(PROJECT, machine_name("main")))
    assert live is not None
    web = live.container("web", "back")
    assert web.endswith(f"-{first.activity}")
    await stand.host.engine.ensure_container_gone(web)

    async def is_ours() -> bool:
        return True

    assert await recreate(live, stand.host, {("web", "back")}, is_ours)
    assert (await ids_of(stand, "back")).keys() == back.keys(), "under the same names"

    again = await stand.deploy(await stand.write({"front/text": "front 4"}))
    assert again.end.state == "success", stand.told(again)
    assert set(kept(again)) == {"back"}, "what was made again is the same"
    rolled = await stand.deploy(await stand.write({}), ROLLBACKS[0], kind="rollback", to=first.activity)
    assert rolled.end.state == "success", stand.told(rolled)
    assert kept(rolled) == {"back": first.activity}
    assert await pages(stand) == ["front first on main", "back first on main"]

    needed = await stand.deploy(await stand.write({"back/text": "back 2", "front/text": "front first"}))
    assert needed.end.state == "success", stand.told(needed)
    assert kept(needed) == {}, "front's links lead to another container"
    same = await stand.deploy(await stand.write({"README": "nobody sees it"}))
    assert set(kept(same)) == {"back", "front"}, stand.told(same)
    for engine_does in (stand.host.engine.stop, stand.host.engine.start):
        await engine_does(f"{stand.daemon.instance}-{PROJECT}-{machine_name('main')}-front-app-{needed.activity}")
    mended = await stand.deploy(await stand.write({"README": "nor this"}))
    assert set(kept(mended)) == {"back"}, "whose containers have ended is started anew"
    started = await stand.deploy(await stand.write({}), kind="redeploy")
    assert started.end.state == "success", stand.told(started)
    assert kept(started) == {}, "who asks for a redeploy wants things started anew"
    assert await pages(stand) == ["front first on main", "back 2 on main"]
    assert all(name.endswith(f"-{started.activity}") for name in [
        *await ids_of(stand, "back"), *await ids_of(stand, "front"),
    ]), json.dumps(sorted((await stand.world())["containers"]))
