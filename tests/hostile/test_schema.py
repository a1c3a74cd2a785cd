"""Every route of a running daemon, asked by schemathesis whatever its OpenAPI document allows, and what it does not.

Errors of deployd itself are found at the end as well: the daemon's log has none of them (`conftest.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
import requests
from schemathesis import GenerationMode

from deployd.access.actions import Role
from scripts.local_daemon import LocalDaemon
from tests.hostile.conftest import PROJECTS, ROLES
from tests.support.api_schema import ask_everything

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES = 3
"""Of each route, by each role, in each of two ways."""
KNOWN = {"project": "schema", "environment": "main", "id": "1"}
OTHERS = [f'"{name}"' for name in PROJECTS if name != "schema"]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
async def test_whatever_a_role_asks_of_a_running_daemon(daemon: LocalDaemon, role: Role, mode: GenerationMode) -> None:
    seen: Counter[int] = Counter()

    def look(response: requests.Response, may: bool) -> None:
        seen[response.status_code] += 1
        assert not any(name in response.text for name in OTHERS), response.text

    await asyncio.to_thread(
        ask_everything, daemon.api, ROLES[role.value], role, mode, known=KNOWN, examples=EXAMPLES, look=look,
    )
    assert seen[200] > seen.total() / 20, seen   # much is wrong on purpose, and most of the rest changes things
    async with daemon.session() as api, api.get("/api/v1/activities?project=schema") as answer:
        assert (await answer.json())["items"] == []
