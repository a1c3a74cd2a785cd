"""Asking every route of the API as its OpenAPI document describes it, or just not so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import schemathesis
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

from deployd.access.actions import Role

ANSWER_SECONDS = 0.5
"""What is followed goes on for longer; its head was right then."""
ENDLESS = "/events"
REFUSED = (401, 403)
UNREAD = (400, 404, 405)
"""Statuses of what is refused whoever asks."""

Look = Callable[[requests.Response, bool], None]
"""Looks at an answer, and is told whether the role may ask this."""


def ask_everything(
    url: str, secret: str, role: Role, mode: GenerationMode, *, known: dict[str, str], examples: int, look: Look,
) -> None:
    """No answer is an error of deployd itself or other than described, and what the role may not is refused.

    Args:
        known: What parameters of paths mostly are, so that something is there.
        examples: Of each route.
    """
    document = requests.get(f"{url}/api/v1/openapi.json", timeout=10).json()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        count = 1 if ENDLESS in operation.path else examples
        with suppress(Unsatisfiable):   # nothing of it can be said wrongly
            _ask(operation, url, secret, role, mode, known, count, look)


def _ask(
    operation: Any, url: str, secret: str, role: Role, mode: GenerationMode, known: dict[str, str], count: int,
    look: Look,
) -> None:
    least = operation.definition.raw["x-role"]
    may = not least or role.includes(Role(least))

    @settings(max_examples=count, deadline=None, phases=[Phase.generate], database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.sampled_from((True, True, False)))
    def ask(case: Any, is_known: bool) -> None:
        if is_known:
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        case.headers["Authorization"] = f"Bearer {secret}"
        try:
            response = case.call(base_url=url, timeout=ANSWER_SECONDS)
        except requests.exceptions.ReadTimeout:
            return
        if not may and response.status_code not in UNREAD:
            assert response.status_code in REFUSED, (operation.path, response.text)
        look(response, may)
        case.validate_response(response, checks=[
            not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
        ])

    ask()
