"""One real daemon for the whole folder: its own directory, ports and Docker label, all gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from scripts.local_daemon import LocalDaemon, free_port
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import Developer, MakeDeveloper, write_start
from tests.support.forge import SECRET

PROJECTS = ("shop", "pair", "reuse", "broken", "keys", "hooked", "local", "upkeep", "lanes", "crowd", "downgrade",
            "drained", "console", "passes", "foreground", "visited", "reloaded", "laptop", "keyed", "peopled", "inside",
            "beside", "magento", "layered", "cached", "languages", "varied")
INCIDENT_LINES, LOG_LINES = 60, 80
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes the end of the daemon's log: its directory is gone when somebody reads the report."""
    report = yield
    daemon = getattr(item, "funcargs", {}).get("daemon")
    if report.failed and isinstance(daemon, LocalDaemon):
        report.sections.append(("log of the daemon", daemon.log_tail(LOG_LINES)))
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def daemon() -> AsyncIterator[LocalDaemon]:
    """A daemon with a project for each test file. Not below pytest's folder, which is removed file by file later on."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-e2e-"))
    forge = {"url": f"file://{directory}/forge.git", "forge": "github", "webhook_secrets": [SECRET]}
    projects: dict[str, dict[str, Any]] = {
        **{name: {} for name in PROJECTS}, "forge": {"remote": forge},
        "guarded": {"environments": {"main": {"access": {"ssh": "approver"}}}},
        "data": {"snapshot_before_deploy": True}, "rolling": {"strategy": "rolling"},
        "printing": {"variables": {"env:token": {"value": "kept-from-logs", "sensitive": True}}},
        "walled": {"environments": {"main": {"pause_after_minutes": 600}}},   # else production is never paused
        "resting": {"branches": {"store": ["wip/*"]}, "max_active": 2},
        "hooked": LEVELS, "hasty": {"overtaken_builds": "cancel"},
        "visited": {
            "variables": {"env:token": {"value": "kept-from-logs-too", "sensitive": True}},
            "environments": {"strict": {"answer": "success"}},
        },
        "gated": {
            "production_branch": "production",
            "environments": {
                "staging": {"protected": True},
                "production": {
                    "protected": {"source": "staging", "approvals": 1},
                    "variables": {"env:GREETING": {"value": "kept-until-approved", "sensitive": True}},
                },
            },
        },
        "checked": {"environments": {
            "main": {"checks": {"smoke": {"home": {"path": "/", "contains": "on main"}}}},
            "early": {"checks": {"smoke": {"home": {"path": "/", "before_switch": True}}}},
            "busy": {"checks": {"watch_seconds": 30}},
        }},
        "routed": {"domains": ["One.TEST.", "two.test"]},
        "mails": {"mail": {"relay": f"smtp://127.0.0.1:{free_port()}"}},
        "edge": {"http_access": {"basic_auth": {"ada": HASH_OF_X}}, "environments": {"main": {"http_access": {}}}},
    }
    daemon = LocalDaemon(directory, projects, settings={"answer_seconds": 8, "drain_seconds": 5},
                         ssh_port=free_port())
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
