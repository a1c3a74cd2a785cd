"""The OpenAPI document, made from the table of routes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from deployd.api.changing import KEY
from deployd.api.errors import ErrorShape
from deployd.api.route import ApiRoute
from deployd.api.schemas import REFERENCE, schema_of, schema_of_shape, shapes_within
from deployd.http.event_stream import EVENT_STREAM

NEXT = {"type": ["integer", "null"], "description": "`before` of the next page; null: this is the last one"}
PARAMETER = re.compile(r"\{(\w+)\}")


def openapi(routes: Sequence[ApiRoute], version: str) -> dict[str, Any]:
    """The document as a JSON value."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        for shape in () if route.text else shapes_within(route.shape):
            made = schema_of_shape(shape)
            assert schemas.setdefault(shape.__name__, made) == made, f"two shapes are called {shape.__name__}"
        if route.body:
            schemas[route.body.__name__] = route.body.model_json_schema()
    schemas[ErrorShape.__name__] = schema_of_shape(ErrorShape)
    return {
        "openapi": "3.1.0",
        "info": {"title": "deployd", "version": version},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def _operation(route: ApiRoute) -> dict[str, Any]:
    parameters = [_parameter("path", name) for name in PARAMETER.findall(route.path)]
    parameters += [_parameter("query", name) for name in route.query_names]
    if route.events:
        parameters.append(_parameter("header", "Last-Event-ID"))
    if route.changes and not route.takes_secret:
        parameters.append(_parameter("header", KEY))
    operation: dict[str, Any] = {
        "summary": route.says,
        "parameters": parameters,
        "security": [{"token": []}] if route.role else [],
        "x-role": route.role,
        "responses": {
            str(route.status): {"description": route.says, "content": _content(route)},
            **({"304": {"description": "the caller has it already (`If-None-Match`)"}} if route.may_be_known else {}),
            **({"204": {"description": "nothing comes any more"}} if route.stream and route.events else {}),
            "default": {"description": "it cannot be had or done",
                        "content": {"application/json": {"schema": schema_of(ErrorShape)}}},
        },
    }
    if route.body:
        schema = {"$ref": f"{REFERENCE}{route.body.__name__}"}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(place: str, name: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


def _event(schema: dict[str, Any]) -> dict[str, Any]:
    """A server-sent event, as OpenAPI 3.2 describes one: its data is a text, and that is JSON."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {"type": "object", "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": data},
            "required": ["event", "data"]}


def _content(route: ApiRoute) -> dict[str, Any]:
    schema = schema_of(route.shape)
    if route.text:
        return {route.text.partition(";")[0]: {"schema": schema}}
    if route.stream or route.events:
        lines = {"application/x-ndjson": {"schema": schema}} if route.stream else {}
        return {**lines, **({EVENT_STREAM: {"schema": _event(schema)}} if route.events else {})}
    if route.many:
        properties = {"items": {"type": "array", "items": schema}, **({"next": NEXT} if route.cursor else {})}
        schema = {"type": "object", "properties": properties, "required": list(properties),
                  "additionalProperties": False}
    return {"application/json": {"schema": schema}}
