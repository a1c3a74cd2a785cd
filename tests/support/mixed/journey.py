"""Deployments in a row under mixed visitors, on a daemon of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from yarl import URL

from scripts.local_daemon import LocalDaemon, free_port
from scripts.removal import left_behind, remove_all
from scripts.repository import commit, make_repository
from tests.support.mixed.count import Count
from tests.support.mixed.visitors import visiting

PROJECT = "mixed"
DRAIN_SECONDS = 2
# What was under way when the freeze began has half a second to end; from the line `hook` on nothing may arrive.
FILES = {
    ".platform.app.yaml": """\
name: app
type: python:3.13
web:
  commands: {start: exec python3 server.py}
mounts:
  var: {source: local, source_path: var}
hooks:
  deploy: sleep 0.5; echo "hook $(cat text) 0" >> var/ids; sleep 0.5
""",
    ".platform/routes.yaml": """\
"https://{default}/": {type: upstream, upstream: "app:http"}
"http://{default}/": {type: upstream, upstream: "app:http"}
""",
    "server.py": (Path(__file__).parent / "server.py").read_text(),
}


async def visit_through(deployments: int, say: Callable[[str], None]) -> Count:
    """Deploy so often while visitors come. Nothing of it is left afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-mixed-"))
    http_port, https_port = free_port(), free_port()
    daemon = LocalDaemon(directory / "daemon", {PROJECT: {}}, http_port=http_port, settings={
        "drain_seconds": DRAIN_SECONDS,
        "router": {"address": "127.0.0.1", "http_port": http_port, "https_port": https_port},
    })
    try:
        await daemon.start(300)
        repository = directory / "repository"
        start = directory / "start"
        for name, text in {**FILES, "text": "0"}.items():
            (start / name).parent.mkdir(parents=True, exist_ok=True)
            (start / name).write_text(text)
        await make_repository(repository, start)
        await _push(daemon, repository)
        host = URL(daemon.url(PROJECT)).host or ""
        async with visiting(host, http_port, https_port, DRAIN_SECONDS) as count:
            for number in range(1, deployments + 1):
                (repository / "text").write_text(str(number))
                await commit(repository, f"Version {number}")
                await _push(daemon, repository)
                say(f"version {number} is live; {count.requests.total()} requests, {len(count.errors)} errors")
        return count
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, daemon.directory)
        left = await left_behind(daemon.instance, daemon.directory)
        shutil.rmtree(directory, ignore_errors=True)
        assert left == [], left


async def _push(daemon: LocalDaemon, repository: Path) -> None:
    pushed = await daemon.push(repository, PROJECT, on_line=lambda _: None)
    assert pushed.deployed, "\n".join(pushed.lines)
