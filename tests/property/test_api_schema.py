"""Every route of the API, asked by schemathesis as the served OpenAPI document describes it, by each role.

Whatever is asked: no error of deployd itself, an answer as the document says, and nothing that the role may not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from schemathesis import GenerationMode
from structlog.testing import capture_logs

from deployd.access.actions import Role
from deployd.access.caller import Caller
from deployd.access.tokens import caller_of, find_token
from deployd.api.applications import Public, public_application
from deployd.http.callers import Callers
from deployd.settings import Token
from tests.doubles.api import FakeCommands, FakeQueries, activity, api_of, ending, environment, line
from tests.support.api_schema import ask_everything

EXAMPLES = 6
"""Of each route, by each role, in each of two ways: as the document says, and not."""
TOKENS = [
    Token.model_validate({
        "name": role.value, "role": role.value, "secret": f"secret-{role.value}", "projects": ["shop"],
    })
    for role in Role
]
KNOWN = {"project": "shop", "environment": "main", "id": "1"}


@dataclass(frozen=True)
class Face:
    """A server that is asked, and what was done behind it."""

    url: str
    commands: FakeCommands


@pytest.fixture(scope="module")
def face() -> Iterator[Face]:
    known = [activity(1), activity(2, "hidden"), activity(3, state="in_progress")]
    queries = FakeQueries(known, {1: [line(1, "composer install"), ending(2)]},
                          running=[environment("shop"), environment("hidden")], titles={"shop": "S", "hidden": "H"})
    commands = FakeCommands(queries)
    with capture_logs(), _serving(queries, commands) as url:
        yield Face(url, commands)


@contextmanager
def _serving(queries: FakeQueries, commands: FakeCommands) -> Iterator[str]:
    """In a thread of its own: schemathesis asks and waits."""
    ready, addresses = threading.Event(), []
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    def find(authorization: str | None) -> Caller | None:
        token = find_token(TOKENS, authorization)
        return caller_of(token) if token else None

    async def serve() -> None:
        app = public_application(api_of(queries, commands), [], Public(Callers(find)))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        addresses.extend(runner.addresses)
        ready.set()
        await end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="face")
    thread.start()
    assert ready.wait(10)
    yield f"http://127.0.0.1:{addresses[0][1]}"
    loop.call_soon_threadsafe(end.set)
    thread.join(10)
    loop.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_whatever_a_role_asks(face: Face, role: Role, mode: GenerationMode) -> None:
    asked = face.commands.asked
    done = len(asked)

    def look(response: Any, may: bool) -> None:
        nonlocal done
        assert "hidden" not in response.text or "hidden" in response.request.url
        assert may or len(asked) == done, (response.request.url, asked[done:])
        done = len(asked)

    ask_everything(face.url, f"secret-{role.value}", role, mode, known=KNOWN, examples=EXAMPLES, look=look)
