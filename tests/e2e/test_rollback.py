"""What was live can be live again, by the command line as an operator uses it."""

from __future__ import annotations

import json
import sys

from deployd.process import Output, run
from tests.support.developer import Developer, MakeDeveloper


async def deployd(me: Developer, *arguments: str) -> Output:
    return await run(sys.executable, "-m", "deployd", *arguments, "--socket",
                     str(me.daemon.directory / "var/run/api.sock"), check=False)


async def test_a_rollback_brings_the_earlier_page_back_without_a_build(developer: MakeDeveloper) -> None:
    me = await developer("keys")
    await me.push()
    await me.write({"text": "second"})
    await me.push()
    assert await me.page() == (200, "second on main")

    back = await deployd(me, "rollback", "keys", "main", "--no-lock")
    assert back.status == 0, back.text
    assert "▸ build" not in back.text
    assert await me.page() == (200, "first on main")

    found = await deployd(me, "activities", "-p", "keys", "--json")
    kinds = [item["kind"] for item in json.loads(found.text)]
    assert kinds == ["rollback", "push", "push"]
    to = json.loads(found.text)[1]["id"]
    assert (await deployd(me, "rollback", "keys", "main", "--no-lock", "--to", str(to))).status == 0
    assert await me.page() == (200, "second on main")


async def test_a_rollback_holds_until_somebody_unlocks(developer: MakeDeveloper) -> None:
    me = await developer("keys")
    await me.push()
    await me.write({"text": "second"})
    await me.push()
    assert (await deployd(me, "rollback", "keys", "main")).status == 0

    await me.write({"text": "third"})
    pushed = await me.push()
    said = "\n".join(pushed.lines)
    assert (pushed.status, pushed.deployed) == (0, False)
    assert "which waits when it is built: main is locked by operator since" in said
    assert "■ push of main is built and waits" in said
    assert "hint: deployd unlock keys main" in said
    await me.write({"text": "fourth"})
    await me.push()
    assert await me.page() == (200, "first on main"), "the rollback holds"
    await me.daemon.stop()
    await me.daemon.start()

    (waits, before, *_) = json.loads((await deployd(me, "activities", "-p", "keys", "--json")).text)
    assert (waits["state"], before["state"]) == ("pending", "superseded")
    assert "rolled back to activity" in waits["waits"]
    assert (await deployd(me, "redeploy", "keys", "main")).status == 0, "what is live may be deployed once more"
    assert await me.page() == (200, "first on main")

    assert f"activity {waits['id']} goes on" in (await deployd(me, "unlock", "keys", "main")).text
    ended = await deployd(me, "log", "-f", str(waits["id"]))
    assert (ended.status, ended.text.count("▸ validate")) == (0, 2)
    assert ended.text.count("app: build") == 1, "what was built before the lock held it is there"
    assert await me.page() == (200, "fourth on main")
    assert (await deployd(me, "unlock", "keys", "main")).status == 6


async def test_what_cannot_be_had_ends_with_a_status_that_means_something(developer: MakeDeveloper) -> None:
    me = await developer("keys")
    await me.push()
    assert (await deployd(me, "rollback", "keys", "nowhere")).status == 5
    assert (await deployd(me, "rollback", "keys", "main", "--to", "99999")).status == 6
    gone = await run(sys.executable, "-m", "deployd", "status", "--socket", "/nonexistent/api.sock", check=False)
    assert gone.status == 4
    assert b"hint: start it" in gone.stderr
    assert b"Traceback" not in gone.stderr


async def test_a_restarted_daemon_serves_what_was_live_and_answers_pushes(developer: MakeDeveloper) -> None:
    me = await developer("keys")
    await me.write({"text": "before"})
    await me.push()
    await me.daemon.stop()
    assert await me.page() == (200, "before on main"), "visitors do not notice that the daemon is away"
    await me.daemon.start()
    assert await me.page() == (200, "before on main")
    await me.write({"text": "after"})
    await me.push()
    assert await me.page() == (200, "after on main")
