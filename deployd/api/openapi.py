"""The OpenAPI document, made from the table of routes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from deployd.api.routes import ApiRoute

PARAMETER = re.compile(r"\{(\w+)\}")


def openapi(routes: Sequence[ApiRoute], version: str) -> dict[str, Any]:
    """The document as a JSON value."""
    paths: dict[str, Any] = {}
    for route in routes:
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                      for name in PARAMETER.findall(route.path)]
        paths.setdefault(route.path, {})[route.method.lower()] = {
            "summary": route.says,
            "parameters": parameters,
            "security": [{"token": []}] if route.role else [],
            "x-role": route.role,
            "responses": {"200" if route.method == "GET" else "202": {"description": route.says},
                          "default": {"description": "an error: {code, what, where, mend, evidence}"}},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "deployd", "version": version},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }
