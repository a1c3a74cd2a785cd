"""One real daemon for the whole folder: its own directory, ports and Docker label, all gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from scripts.git_push import Pushed
from scripts.local_daemon import LocalDaemon, free_port
from scripts.removal import left_behind, remove_all
from scripts.repository import commit, make_repository

PROJECTS = ("shop", "pair", "reuse", "broken", "keys", "hooked", "local", "upkeep", "lanes", "crowd", "downgrade",
            "drained", "console", "passes", "foreground", "visited", "reloaded", "laptop")
INCIDENT_LINES, LOG_LINES = 60, 80
SECRET = "the-secret-of-the-webhook"
"""Of the project `forge`, whose code is fetched from a repository beside the daemon's directory."""
HASH_OF_X = "$6$salt$wZU8LXJfJJqoagopbB7RuK6JEotEMZ0CQDy0phpPAuLMYQFcmf6L6BdAbs/Q7w7o1qsZ9pFqFVY4yuUSWgaYt1"
LEVELS: dict[str, Any] = {
    "variables": {
        "env:level": "project", "env:project_only": "yes", "env:token": {"value": "kept-from-logs", "sensitive": True},
        "env:in_builds": {"value": "b", "visible_runtime": False},
        "env:at_run_time": {"value": "r", "visible_build": False},
        "env:of_node": {"value": "n", "applications": ["node"]}, "shop:features": {"value": {"a": [1, True]}},
    },
    "environments": {"main": {"variables": {"env:level": "environment", "plain": "text"}}},
}
"""Of the project `hooked`: variables of every kind."""
SERVER = '''\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = (Path("/app/text").read_text().strip() + " on " + os.environ["PLATFORM_BRANCH"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
'''
APP = '''\
name: app
type: python:3.13
web:
  commands:
    start: python3 server.py
'''


@dataclass
class Developer:
    """A working tree, and what its owner does with it."""

    daemon: LocalDaemon
    folder: Path
    project: str

    async def write(self, files: Mapping[str, str], message: str = "A change") -> str:
        """Change files and commit. Returns the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return await commit(self.folder, message, allow_empty=True)

    async def push(self, branch: str = "main", **more: Any) -> Pushed:
        """Forced, because every test begins with a repository of its own."""
        return await self.daemon.push(
            self.folder, self.project, branch=branch, on_line=lambda _: None, force=not more.get("delete"), **more,
        )

    async def page(self, branch: str = "main", path: str = "/", subdomain: str = "") -> tuple[int, str]:
        """What a visitor gets through the router."""
        url = URL(self.daemon.url(self.project, branch, path))
        if subdomain:
            url = url.with_host(f"{subdomain}.{url.host}")
        async with aiohttp.ClientSession() as session, session.get(
            url.with_host("127.0.0.1"), headers={"Host": url.authority}, allow_redirects=False,
        ) as answer:
            return answer.status, await answer.text()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes the end of the daemon's log: its directory is gone when somebody reads the report."""
    report = yield
    daemon = getattr(item, "funcargs", {}).get("daemon")
    if report.failed and isinstance(daemon, LocalDaemon):
        report.sections.append(("log of the daemon", daemon.log_tail(LOG_LINES)))
    return report


MakeDeveloper = Callable[..., Coroutine[Any, Any, Developer]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def daemon() -> AsyncIterator[LocalDaemon]:
    """A daemon with a project for each test file. Not below pytest's folder, which is removed file by file later on."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-e2e-"))
    forge = {"url": f"file://{directory}/forge.git", "forge": "github", "webhook_secrets": [SECRET]}
    projects: dict[str, dict[str, Any]] = {
        **{name: {} for name in PROJECTS}, "forge": {"remote": forge},
        "data": {"snapshot_before_deploy": True}, "rolling": {"strategy": "rolling"},
        "printing": {"variables": {"env:token": {"value": "kept-from-logs", "sensitive": True}}},
        "hooked": LEVELS, "hasty": {"overtaken_builds": "cancel"},
        "visited": {
            "variables": {"env:token": {"value": "kept-from-logs-too", "sensitive": True}},
            "environments": {"strict": {"answer": "success"}},
        },
        "routed": {"domains": ["One.TEST.", "two.test"]},
        "mails": {"mail": {"relay": f"smtp://127.0.0.1:{free_port()}"}},
        "edge": {"http_access": {"basic_auth": {"ada": HASH_OF_X}}, "environments": {"main": {"http_access": {}}}},
    }
    daemon = LocalDaemon(directory, projects, settings={"answer_seconds": 8, "drain_seconds": 5})
    try:
        await daemon.start(limit_seconds=300)
        yield daemon
    finally:
        await daemon.stop()
        incidents = _incidents(daemon.log_file)
        await remove_all(daemon.instance, directory)
    assert incidents == "", "errors of deployd itself, with their tracebacks"
    assert await left_behind(daemon.instance, directory) == []


def _incidents(log: Path) -> str:
    """What the daemon's log says of errors that deployd did not expect: each with the lines after it."""
    lines = log.read_text(errors="replace").splitlines()
    found = [number for number, line in enumerate(lines) if "incident=" in line]
    return "\n".join(line for number in found for line in lines[number:number + INCIDENT_LINES])


def write_start(folder: Path, more: Mapping[str, str] | None = None) -> Path:
    """The files of a one-file Python application."""
    for name, text in {".platform.app.yaml": APP, "server.py": SERVER, "text": "first", **(more or {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.fixture
def developer(daemon: LocalDaemon, tmp_path: Path) -> MakeDeveloper:
    """A developer with a new repository: a one-file Python application, or a sample."""

    async def make(project: str, *sources: Path, files: Mapping[str, str] | None = None) -> Developer:
        folder = tmp_path / project
        shutil.rmtree(folder, ignore_errors=True)
        await make_repository(folder, *(sources or (write_start(tmp_path / "start"),)))
        made = Developer(daemon, folder, project)
        if files:
            await made.write(files)
        return made

    return make
