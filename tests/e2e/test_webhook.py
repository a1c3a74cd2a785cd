"""A push to a forge: its webhook says so, deployd fetches and deploys. The forge is a repository and a signed call."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid

from deployd.process import run
from scripts.git_push import git_environment
from tests.support.developer import APP, Developer, MakeDeveloper
from tests.support.forge import NOTHING, SECRET, deliver, push_to_forge, send_to_forge


async def test_a_signed_webhook_deploys_what_the_remote_has_and_the_same_delivery_again_starts_nothing(
    developer: MakeDeveloper,
) -> None:
    me = await developer("forge")
    commit = await push_to_forge(me, "first")

    assert (await deliver(me, commit, secret="wrong"))[0] == 401
    delivery = str(uuid.uuid4())
    status, answer = await deliver(me, commit, delivery=delivery)
    assert status == 202, answer
    assert await state_of(me, answer["activity"]) == "success"
    assert await me.page() == (200, "first on main")

    status, again = await deliver(me, commit, delivery=delivery)
    assert (status, again["activity"]) == (200, answer["activity"])

    commit = await push_to_forge(me, "second")
    _, answer = await deliver(me, commit)
    assert await state_of(me, answer["activity"]) == "success"
    assert await me.page() == (200, "second on main")


async def test_a_deleted_branch_and_what_is_no_push_are_answered_politely(developer: MakeDeveloper) -> None:
    me = await developer("forge")
    assert (await deliver(me, NOTHING, ref="refs/heads/never-here"))[0] == 202
    assert (await deliver(me, "a" * 40, ref="refs/tags/v1"))[0] == 202
    assert (await deliver(me, NOTHING, event="ping"))[0] in (200, 202)
    assert (await deliver(me, NOTHING, event="issues"))[0] in (200, 202)
    log = me.daemon.log_file.read_text()
    assert SECRET not in log


async def state_of(me: Developer, activity: int) -> str:
    async with me.daemon.session() as session:
        for _ in range(300):
            async with session.get(f"/api/v1/activities/{activity}") as answer:
                state = str((await answer.json())["state"])
            if state not in ("pending", "in_progress"):
                return state
            await asyncio.sleep(0.1)
    return "never ended"


async def test_a_wrong_configuration_is_told_in_the_log_as_the_check_says_it(developer: MakeDeveloper) -> None:
    me = await developer("forge")
    await me.write({".platform.app.yaml": APP + "hoks: {}\ndisk: 64\n"})
    said = await run(sys.executable, "-m", "deployd", "check", str(me.folder), check=False)
    _, answer = await deliver(me, await push_to_forge(me, "wrong"))
    assert await state_of(me, answer["activity"]) == "failed"
    async with me.daemon.session() as session, session.get(f"/api/v1/activities/{answer['activity']}/log") as got:
        told = await got.text()
    for line in said.text.splitlines():
        assert json.dumps(line, ensure_ascii=False)[1:-1] in told or line in told, (line, told)


async def test_a_submodule_that_cannot_be_had_is_told_before_anything_is_built(developer: MakeDeveloper) -> None:
    me = await developer("forge")
    await me.write({".gitmodules": '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n'})
    await run("git", "update-index", "--add", "--cacheinfo", f"160000,{'c' * 40},lib", cwd=me.folder)
    await run("git", "commit", "--quiet", "-m", "Linked", cwd=me.folder, env=git_environment())
    commit = (await run("git", "rev-parse", "HEAD", cwd=me.folder)).text
    await send_to_forge(me)
    _, answer = await deliver(me, commit)
    assert await state_of(me, answer["activity"]) == "failed"
    async with me.daemon.session() as session, session.get(f"/api/v1/activities/{answer['activity']}/log") as got:
        told = await got.text()
    beside = f"file://{me.daemon.directory}/lib.git"   # the forge of this test is a folder
    assert f"the submodule lib has the address {beside}; only https:// addresses can be fetched" in told
    assert {json.loads(line)["phase"] for line in told.splitlines()} == {"validate"}
