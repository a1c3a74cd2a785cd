"""After a downgrade: what a newer deployd began is left alone and named, and everything else goes on."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from deployd.deployment.kinds import PUSH
from deployd.environment.naming import machine_name
from deployd.ids import CommitId, EnvironmentId, ProjectId
from deployd.process import run
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from tests.support.developer import MakeDeveloper

PROJECT, NAME = ProjectId("downgrade"), machine_name("future")
NEWER = NewActivity(
    replace(PUSH, tables=(replace(PUSH.tables[0], version=PUSH.version + 1),)), EnvironmentId(PROJECT, NAME), "future",
    CommitId("a" * 40), Trigger("ada", "git"),
)


async def test_what_a_newer_deployd_began_is_named_in_the_status_and_others_are_deployed(
    developer: MakeDeveloper,
) -> None:
    me = await developer(PROJECT)
    socket = me.daemon.directory / "var" / "run" / "api.sock"
    await me.daemon.stop()
    with closing(sqlite3.connect(me.daemon.directory / "var" / "state" / "state.db")) as db, db:
        now = datetime.now(UTC)
        environments.ensure(db, EnvironmentId(PROJECT, NAME), "future", now)
        number = activities.enqueue(db, NEWER, now)
    await me.daemon.start()
    try:
        pushed = await me.push()
        assert pushed.deployed, pushed.lines
        shown = await run(sys.executable, "-m", "deployd", "status", "--socket", str(socket), check=False)
        assert shown.status == 1
        assert f"activity {number} (push) was begun by a newer deployd and is left alone" in shown.text
    finally:
        await me.daemon.stop()
        with closing(sqlite3.connect(me.daemon.directory / "var" / "state" / "state.db")) as db, db:
            assert activities.cancel_waiting(db, number, "of a test", datetime.now(UTC))
        await me.daemon.start()
    shown = await run(sys.executable, "-m", "deployd", "status", "--socket", str(socket), check=False)
    assert "newer deployd" not in shown.text
