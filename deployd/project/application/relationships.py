"""`relationships` in its three forms: text, nothing, or a mapping (configuration format 4.6). Pure."""

from __future__ import annotations

import re

from deployd.project.fields.fields import Field
from deployd.project.fields.keys import Key, Table
from deployd.project.findings.spelling import shown
from deployd.project.model.container import Relationship
from deployd.project.relationship_targets import Targets, split_endpoint
from deployd.project.yaml.nodes import MapNode

RELATIONSHIP = Table(
    "relationships.<name>",
    (
        Key("service", "name of a service or application", "where it leads", "the relationship's own name"),
        Key(
            "endpoint", "name of an endpoint", "the way in; applications have `http`", "the service's default endpoint"
        ),
    ),
    noun="a relationship",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)


def read_relationships(field: Field | None, targets: Targets) -> tuple[Relationship, ...]:
    """Every relationship that leads somewhere."""
    if field is None:
        return ()
    found = [_read_one(name, entry, targets) for name, entry in field.entries(dots="write the name without the dot")]
    return tuple(item for item in found if item is not None)


def _read_one(name: str, field: Field, targets: Targets) -> Relationship | None:
    if not _NAME.fullmatch(name):
        field.wrong_name(
            "bad-name",
            f"`{shown(name)}` cannot be the name of a relationship, which becomes a host name",
            "use letters, digits, `-` and `_`",
        )
        return None
    target: str | None = name
    endpoint: str | None = None
    if isinstance(field.node, MapNode):
        fields = field.fields(RELATIONSHIP)
        assert fields is not None
        target = fields.text("service") if fields.get("service") else name
        endpoint = fields.text("endpoint")
    elif not field.is_null():
        written = field.text()
        if written is None:
            return None
        parts = split_endpoint(field, written, targets)
        if parts is None:
            return None
        target, endpoint = parts
    if target is None:
        return None
    known = targets.endpoint_of(field, target, endpoint)
    return None if known is None else Relationship(name, target, known, field.place)
