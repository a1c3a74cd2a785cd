"""A new image of the router, with visitors and in the midst of a deployment: nobody is refused, lost or let through."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from deployd.process import run
from deployd.settings import config_folder
from tests.support.developer import Developer
from tests.support.waiting_hooks import Records, crowd, held, until


@pytest.fixture
async def other_image() -> AsyncIterator[str]:
    """The router's image with another label: another image to Docker."""
    name = f"deployd-test/router:{secrets.token_hex(4)}"
    await run("docker", "build", "-q", "-t", name, "-", stdin=b"FROM deployd/router:1\nLABEL newer=yes\n")
    yield name
    await run("docker", "rmi", "-f", name, check=False)


async def restart_with(me: Developer, image: str, folder: Path) -> Developer:
    """The daemon again, with another image for its router: an operator's upgrade."""
    catalogue = yaml.safe_load((config_folder() / "catalogue.yaml").read_text())
    catalogue["router"] = {"image": image}
    file = folder / "catalogue.yaml"
    file.write_text(yaml.safe_dump(catalogue))
    (folder / "images").symlink_to(config_folder() / "images")
    await me.daemon.stop()
    daemon = dataclasses.replace(me.daemon, settings={**me.daemon.settings, "catalogue": str(file)})
    await daemon.start()
    return dataclasses.replace(me, daemon=daemon)


async def images(me: Developer) -> list[str]:
    told = await run("docker", "ps", "--filter", f"label=deployd={me.daemon.instance}",
                     "--filter", "label=deployd.role=router", "--format", "{{.Image}}")
    return sorted(told.text.split())


async def test_no_visitor_notices_an_upgrade_of_the_router(me: Developer, other_image: str, tmp_path: Path) -> None:
    async with crowd(me, size=8) as seen:
        await asyncio.sleep(1)
        newer = await restart_with(me, other_image, tmp_path)
        assert set(await images(newer)) == {"deployd/router:1", other_image}

        async def only_the_new_one() -> bool:
            return await images(newer) == [other_image]

        await until(only_the_new_one, "the earlier router has ended")
        await newer.write({"text": "1"})
        assert (await newer.push()).deployed
        await asyncio.sleep(0.5)
    await newer.daemon.stop()
    assert {(answer.status, answer.body) for answer in seen} == {(200, "0 on main"), (200, "1 on main")}
    assert len(seen) > 300


async def test_an_upgrade_amid_a_freeze_loses_nobody_who_is_held(
    me: Developer, other_image: str, tmp_path: Path,
) -> None:
    await me.write({"text": "1", "waits": ""})
    assert (await me.push(options=("no-wait",))).status == 0
    records = Records(me.daemon)
    activity = records.newest("shop")[0]
    await records.entry(activity, "run_deploy_hook", "started")
    async with crowd(me, size=8) as seen:
        await until(lambda: held(me), "visitors are held")
        newer = await restart_with(me, other_image, tmp_path)
        async with crowd(newer, size=4) as later:
            await asyncio.sleep(8)   # the earlier router listens no more
            assert seen == later == []
            (next(newer.daemon.directory.glob("var/state/environments/shop/*/volumes/app/data")) / "go-1").touch()
            assert await records.end(activity) == ("success", "")
            await asyncio.sleep(0.5)
    await newer.daemon.stop()
    assert {(answer.status, answer.body) for answer in (*seen, *later)} == {(200, "1 on main")}
    assert len(seen) >= 8


@pytest.mark.parametrize(("image", "reason"), [
    ("deployd/base:trixie", "a router of the image deployd/base:trixie did not start (router: 1: nginx: not found)"),
    ("deployd-test/nowhere:1", "cannot make the image deployd-test/nowhere:1"),
])
async def test_a_router_image_that_is_no_good_changes_nothing_and_is_told(
    me: Developer, tmp_path: Path, image: str, reason: str,
) -> None:
    async with crowd(me, size=4) as seen:
        await asyncio.sleep(0.5)
        newer = await restart_with(me, image, tmp_path)
        async with newer.daemon.session() as session, session.get("/status") as answer:
            [told] = (await answer.json())["reasons"]
        assert reason in told
        assert await images(newer) == ["deployd/router:1"]
        await newer.write({"text": "1"})
        assert (await newer.push()).deployed
        await asyncio.sleep(0.5)
    await newer.daemon.stop()
    assert {(answer.status, answer.body) for answer in seen} == {(200, "0 on main"), (200, "1 on main")}
