# ruff: noqa: E501   rows of tables are lines
"""Documents made from the platforms' JSON schemas: every key of them with a value of every type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schemas"
VALUES: tuple[Any, ...] = (True, 1, 200, -1, 1.5, "", "x", "5m", "200", [], ["x"], [1], [{}], {}, {"x": "y"}, {"x": {}}, {"x": {"y": "z"}})
NAMES = {"locations": "/a", "paths": "/a"}
SAMPLES = {"upstream": "app:http", "to": "https://b.example/", "spec": "* * * * *"}


def schema(name: str) -> dict[str, Any]:
    """`application`, `services` or `routes`."""
    return json.loads((FOLDER / f"platformsh.{name}.json").read_text())


@dataclass(frozen=True)
class Probe:
    path: tuple[str, ...]
    document: dict[str, Any]
    value: Any

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} = {json.dumps(self.value)}"


def probes(root: dict[str, Any], base: dict[str, Any], first: str = "") -> Iterator[Probe]:
    """The base with one value put in, for every key of the schema and every value; `zzz` is a key that no schema has.

    Args:
        first: Name of the entry at the top, where the schema has a free mapping there.
    """
    for path, steps in _paths(root, (), (), first):
        for value in VALUES:
            yield Probe(path, _with(base, path, steps, value), value)


def _paths(
    node: dict[str, Any], path: tuple[str, ...], steps: tuple[dict[str, Any], ...], first: str = "",
) -> Iterator[tuple[tuple[str, ...], tuple[dict[str, Any], ...]]]:
    """Every key below a schema, and the schemas on the way to it."""
    for name, inner in node.get("properties", {}).items():
        yield (*path, name), (*steps, node)
        yield from _paths(inner, (*path, name), (*steps, node))
    if node.get("additionalProperties") is False:
        yield (*path, "zzz"), (*steps, node)
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        name = NAMES.get(path[-1], "x") if path else first
        yield (*path, name), (*steps, node)
        yield from _paths(extra, (*path, name), (*steps, node))
    if isinstance(node.get("items"), dict):
        yield (*path, "[]"), (*steps, node)
        yield from _paths(node["items"], (*path, "[]"), (*steps, node))
    for choice in ("oneOf", "anyOf"):
        for inner in node.get(choice, []):
            if "properties" in inner:
                yield from _paths(inner, path, steps)


def _with(base: dict[str, Any], path: tuple[str, ...], steps: tuple[dict[str, Any], ...], value: Any) -> dict[str, Any]:
    document = json.loads(json.dumps(base))
    here: Any = document
    for number, name in enumerate(path):
        for needed in steps[number].get("required", []):
            if isinstance(here, dict):
                here.setdefault(needed, _sample(steps[number]["properties"], needed))
        last = number == len(path) - 1
        if name == "[]":
            here.append(value if last else {})
            here = here[-1]
            continue
        if last:
            here[name] = value
        else:
            following = [] if path[number + 1] == "[]" else {}
            if not isinstance(here.get(name), type(following)):
                here[name] = following
            here = here[name]
    return document


def _sample(properties: dict[str, Any], name: str) -> Any:
    """Something right for a key that is required."""
    node = properties[name]
    if name == "type":
        return "upstream" if "upstream" in properties else "redirect" if "to" in properties else "valkey:8.0"
    if name in SAMPLES:
        return SAMPLES[name]
    if "enum" in node:
        return node["enum"][0]
    if "properties" in node:
        return {needed: _sample(node["properties"], needed) for needed in node.get("required", [])}
    return {"string": "x", "object": {}, "array": [], "boolean": True, "integer": 1}[node["type"]]
