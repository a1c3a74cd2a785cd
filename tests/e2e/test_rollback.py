"""What was live can be live again, by the command line as an operator uses it."""

from __future__ import annotations

import json
import sys

from deployd.process import Output, run
from tests.e2e.conftest import Developer, MakeDeveloper


async def deployd(me: Developer, *arguments: str) -> Output:
    return await run(sys.executable, "-m", "deployd", *arguments, "--socket",
                     str(me.daemon.directory / "var/run/api.sock"), check=False)


async def test_a_rollback_brings_the_earlier_page_back_without_a_build(developer: MakeDeveloper) -> None:
    me = await developer("keys")
    await me.push()
    await me.write({"text": "second"})
    await me.push()
    assert await me.page() == (200, "second on main")

    back = await deployd(me, "rollback", "keys", "main")
    assert back.status == 0, back.text
    assert "▸ build" not in back.text
    assert await me.page() == (200, "first on main")

    found = await deployd(me, "activities", "-p", "keys", "--json")
    kinds = [item["kind"] for item in json.loads(found.text)]
    assert kinds == ["rollback", "push", "push"]
    to = json.loads(found.text)[1]["id"]
    assert (await deployd(me, "rollback", "keys", "main", "--to", str(to))).status == 0
    assert await me.page() == (200, "second on main")


async def test_what_cannot_be_had_ends_with_a_status_that_means_something(developer: MakeDeveloper) -> None:
    me = await developer("keys")
    await me.push()
    assert (await deployd(me, "rollback", "keys", "nowhere")).status == 5
    assert (await deployd(me, "rollback", "keys", "main", "--to", "99999")).status == 6
    gone = await run(sys.executable, "-m", "deployd", "status", "--socket", "/nonexistent/api.sock", check=False)
    assert gone.status == 4
    assert b"mend: start it" in gone.stderr
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
