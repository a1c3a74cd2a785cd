"""One real daemon, an attacker with a contributor's token for one project, and a neighbour who must notice nothing.

Every test really tries it, and then looks on the host for what must not have happened.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployd.access.actions import Role
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import Developer, MakeDeveloper, write_start

PROJECTS = ("mallory", "neighbour", "mounts", "scripts", "patterns", "reader", "refs", "modules", "network", "secrets",
            "doors", "shares", "rounds", "pages", "headers", "schema")
"""`mallory` attacks, `neighbour` must notice nothing; the others are for the files of these names."""

OWN_SETTINGS: dict[str, dict[str, Any]] = {
    # Small shares, so that they are soon taken; the floods of this project meet them.
    "shares": {"shares": {"environments": 16, "waiting": 16, "build_mb": 300, "build_files": 30_000}},
}


ROLES = {role.value: f"secret-of-the-{role.value}-of-schema" for role in Role}
"""{role: secret of a token that has it, for the project `schema`}"""
KEY_LINES = [(f"{number:02d}Kq9/x+Z" * 8)[:64] for number in range(12)]
SENSITIVE = {
    "env:SHOP_KEY": "k3J9x/2mZ7+B5nL1w\"8tY4'C6s$0fG&hA9eU3iO7q=5zX1c",
    "env:SHOP_PEM": "\n".join(["-----BEGIN PRIVATE KEY-----", *KEY_LINES, "-----END PRIVATE KEY-----"]),
    "env:SHOP_JSON": {"user": "u", "deep": [{"password": "t9Vq-leaf-of-JSON-77aX"}]},
    "env:SHOP_PIN": "1234",
}
"""Of the project `secrets`."""


def hostile_daemon(directory: Path, **settings: Any) -> LocalDaemon:
    """A daemon with all the projects above, not started yet."""
    projects: dict[str, dict[str, Any]] = {name: OWN_SETTINGS.get(name, {}) for name in PROJECTS}
    sensitive = {name: {"value": value, "sensitive": True} for name, value in SENSITIVE.items()}
    projects["secrets"] = {"variables": sensitive}
    tokens = [
        {"name": "local", "role": "admin", "secret": secrets.token_urlsafe(24)},
        *({"name": role, "role": role, "secret": secret, "projects": ["schema"]} for role, secret in ROLES.items()),
    ]
    return LocalDaemon(directory, projects, settings={
        "answer_seconds": 8, "drain_seconds": 5, "tokens": tokens, **settings,
    })


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def daemon() -> AsyncIterator[LocalDaemon]:
    directory = Path(tempfile.mkdtemp(prefix="deployd-hostile-"))
    daemon = hostile_daemon(directory)
    try:
        await daemon.start(limit_seconds=300)
        yield daemon
    finally:
        await daemon.stop()
        incidents = [line for line in daemon.log_file.read_text(errors="replace").splitlines() if "incident=" in line]
        await remove_all(daemon.instance, directory)
    assert incidents == [], "errors of deployd itself"
    assert await left_behind(daemon.instance, directory) == []


@pytest.fixture
def developer(daemon: LocalDaemon, tmp_path: Path) -> MakeDeveloper:
    """A developer with a new repository: a one-file Python application with the given files in it."""

    async def make(project: str, files: dict[str, str] | None = None) -> Developer:
        folder = tmp_path / project
        shutil.rmtree(folder, ignore_errors=True)
        await make_repository(folder, write_start(tmp_path / "start"))
        made = Developer(daemon, folder, project)
        if files:
            await made.write(files)
        return made

    return make
