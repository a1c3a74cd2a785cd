"""Every route of the API, asked by schemathesis as the served OpenAPI document describes it, by each role.

Whatever is asked: no error of deployd itself, an answer as the document says, and nothing that the role may not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from structlog.testing import capture_logs

from deployd.access.actions import Role
from deployd.access.caller import Caller
from deployd.access.tokens import find_token
from deployd.api.applications import Public, public_application
from deployd.http.callers import Callers
from deployd.settings import Token
from tests.unit.api_double import FakeCommands, FakeQueries, activity, api_of, ending, environment, line

EXAMPLES = 12
"""Of each route, by each role, in each of two ways: as the document says, and not."""
ANSWER_SECONDS = 0.5
"""What is followed goes on for longer; its head was right then."""
TOKENS = [
    Token.model_validate({
        "name": role.value, "role": role.value, "secret": f"secret-{role.value}", "projects": ["shop"],
    })
    for role in Role
]
ENDLESS = "/events"
KNOWN = {"project": "shop", "environment": "main", "id": "1"}
REFUSED = (401, 403)


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
        return Caller(token.name, token.role, token.projects) if token else None

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
    document = requests.get(f"{face.url}/api/v1/openapi.json", timeout=10).json()
    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations():
        with suppress(Unsatisfiable):   # nothing of it can be said wrongly
            _ask(face, found.ok(), role, mode)


def _ask(face: Face, operation: Any, role: Role, mode: GenerationMode) -> None:
    least = operation.definition.raw["x-role"]
    may = not least or role.includes(Role(least))
    method = operation.method.upper()

    examples = 1 if ENDLESS in operation.path else EXAMPLES

    @settings(max_examples=examples, deadline=None, phases=[Phase.generate], database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.sampled_from((True, True, False)))
    def ask(case: Any, is_known: bool) -> None:
        if is_known:
            case.path_parameters = {**case.path_parameters, **{
                name: value for name, value in KNOWN.items() if name in case.path_parameters
            }}
        before = len(face.commands.asked)
        case.headers["Authorization"] = f"Bearer secret-{role.value}"
        try:
            response = case.call(base_url=face.url, timeout=ANSWER_SECONDS)
        except requests.exceptions.ReadTimeout:
            return
        assert response.status_code < 500, (method, operation.path, case.body, response.text)
        assert "hidden" not in response.text or "hidden" in response.request.url
        if not may and response.status_code not in (400, 404, 405):
            assert response.status_code in REFUSED
            assert len(face.commands.asked) == before, (operation.path, face.commands.asked[before:])
        case.validate_response(response, checks=[
            not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
        ])

    ask()
