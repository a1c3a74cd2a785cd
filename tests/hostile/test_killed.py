"""The daemon is killed at each step of a deployment while the application attacks it all the time: still nothing.

Build hook, deploy hook and start command each run a loop in the background that puts links where the daemon works.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from deployd.deployment.steps import PUSH
from scripts.local_daemon import DaemonDidNotStart, LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import commit, make_repository
from tests.support.developer import SERVER
from tests.support.journal_record import read_open, read_records
from tests.support.kill_points import LAST_WORDS, VARIABLE

pytestmark = pytest.mark.slow

LIMIT_SECONDS = 120.0
ATTACK = """\
#!/bin/sh
# Links in every place that it can reach, taken away and put back, until it is ended.
set +e
while :; do
    for folder in /run/deployd/scripts /run/deployd/scripts/*; do
        for name in deploy post_deploy build-0 output status started begun lock .status.new; do
            ln -sf HOST $folder/$name; rm -f $folder/$name; mkfifo $folder/$name; touch $folder/$name
        done
    done
    for link in data old; do
        mv /app/whole/data /app/whole/away; ln -s HOST /app/whole/$link; mv /app/whole/$link /app/whole/data
        rm -f /app/whole/data /app/whole/$link; mv /app/whole/away /app/whole/data
    done
    ln -sf HOST "$PLATFORM_CACHE_DIR/link"; ln -sf HOST /app/link
    sleep 0.05
done >/dev/null 2>&1
"""
APP = """\
name: app
type: python:3.13
web:
  commands:
    start: "(sh attack.sh &) ; python3 server.py"
mounts:
  whole: {source: local, source_path: ""}
  data: {source: local, source_path: data}
  cache: {source: tmp, source_path: cache}
hooks:
  build: |
    (sh attack.sh &)
    sleep 0.5; cp text built
  deploy: |
    (sh attack.sh &)
    sleep 0.5; echo ran >>whole/ran
  post_deploy: |
    (sh attack.sh &)
    sleep 0.5
"""


class Target:
    """A folder of the host that the links point at, and what it was like."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "inner").mkdir(parents=True)
        (folder / "key").write_text("of the host")
        (folder / "key").chmod(0o600)
        self.before = self.look()

    def look(self) -> list[tuple[str, int, int, int]]:
        found = []
        for path in sorted((self.folder, *self.folder.rglob("*"))):
            seen = path.lstat()
            found.append((str(path), seen.st_uid, stat.S_IMODE(seen.st_mode), seen.st_nlink))
        return found


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[LocalDaemon]:
    directory = Path(tempfile.mkdtemp(prefix="deployd-killed-"))
    daemon = LocalDaemon(directory, {"mallory": {}}, settings={"answer_seconds": 8, "drain_seconds": 2})
    try:
        yield daemon
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


async def test_an_attack_wins_nothing_though_the_daemon_is_killed_at_each_step(
    daemon: LocalDaemon, tmp_path: Path,
) -> None:
    target = Target(tmp_path / "host")
    source = tmp_path / "source"
    source.mkdir()
    attack = ATTACK.replace("HOST", str(target.folder))
    for name, text in {".platform.app.yaml": APP, "server.py": SERVER.replace("/app/text", "/app/built"),
                       "attack.sh": attack, "text": "first"}.items():
        (source / name).write_text(text)
    tree = tmp_path / "tree"
    await make_repository(tree, source)
    await daemon.start(LIMIT_SECONDS)
    assert (await daemon.push(tree, "mallory", on_line=lambda _: None)).deployed
    (tree / "text").write_text("second")
    await commit(tree, "second")
    await daemon.stop()

    state = daemon.directory / "var/state/state.db"
    points = [f"{step.name}:{side}" for step in PUSH.steps for side in ("started:after", "done:before")]
    for number, point in enumerate(points):
        with suppress(DaemonDidNotStart):
            await daemon.start(LIMIT_SECONDS, module="tests.support.kill_points", environment={VARIABLE: point})
        if number == 0:
            await daemon.push(tree, "mallory", on_line=lambda _: None)
        began = time.monotonic()
        while daemon.running() is not None:
            assert time.monotonic() - began < LIMIT_SECONDS, f"{point}\n{daemon.log_tail(40)}"
            await asyncio.sleep(0.02)
        assert f"{LAST_WORDS} {point}" in daemon.log_tail(1), daemon.log_tail(40)
        assert target.look() == target.before, point
    await daemon.start(LIMIT_SECONDS)
    began = time.monotonic()
    while read_open(state):
        assert time.monotonic() - began < LIMIT_SECONDS, daemon.log_tail(40)
        await asyncio.sleep(0.05)
    assert [record.state for record in read_records(state)] == ["success", "success"]
    assert target.look() == target.before
    assert (target.folder / "key").read_text() == "of the host"
    assert os.listdir(target.folder / "inner") == []
    assert "incident=" not in daemon.log_file.read_text()
