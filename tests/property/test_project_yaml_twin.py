# ruff: noqa: E501   rows of tables are lines
"""The loader against PyYAML's own: for every text that both read, the values are the same."""

from __future__ import annotations

import datetime
import math
from typing import Any

import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from deployd.project.findings.findings import Findings
from deployd.project.yaml.loader import load_yaml
from deployd.project.yaml.nodes import MapNode, Node
from deployd.project.yaml.scalars import plain_value

SCALARS = st.one_of(
    st.sampled_from(["yes", "No", "ON", "off", "true", "FALSE", "null", "~", "Null", "", "010", "0o10", "0x1F", "0b101", "1_000", "1:30",
                     "190:20:30", "1.5", ".5", "-.5", "1e3", "1.0e+3", "6.8523015e+5", "+1", "-0", "08", "1:60", "=", "12e03", "0.", "y", "n"]),
    st.from_regex(r"\A[-+.0-9_xb:eE]{1,8}\Z"),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=6),
)


@settings(max_examples=1500, deadline=None)
@given(SCALARS)
@example("0b_")
@example("0x_")
def test_a_plain_scalar_means_what_it_means_to_pyyaml(text: str) -> None:
    resolved = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))
    node = yaml.ScalarNode(resolved, text)
    try:
        theirs = yaml.SafeLoader("").construct_object(node)
    except (ValueError, yaml.YAMLError, IndexError):
        assume(False)
    if isinstance(theirs, datetime.date) or resolved.endswith((":merge", ":value")):
        assert plain_value(text) == text   # dates stay text on purpose
    elif isinstance(theirs, float) and (math.isnan(theirs) or math.isinf(theirs)):
        assert plain_value(text) == text   # JSON has neither
    else:
        assert plain_value(text) == theirs
        assert type(plain_value(text)) is type(theirs)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10**9, 10**9) | st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner, max_size=4), max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans())
def test_a_dumped_value_comes_back(value: Any, flow: bool) -> None:
    findings = Findings()
    node = load_yaml(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True), "a.yaml", findings)
    assert node is not None, findings.found
    assert node.json() == value


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.integers(0, 9), min_size=1, max_size=6))
def test_places_point_at_the_keys(value: dict[str, int]) -> None:
    text = yaml.safe_dump(value)
    node: Node | None = load_yaml(text, "a.yaml", Findings())
    assert isinstance(node, MapNode)
    lines = text.splitlines()
    for entry in node.entries:
        line = lines[entry.key.line - 1]
        assert line[entry.key.column - 1:][: entry.key.length] == entry.key.text
        assert line[entry.value.column - 1:] == str(value[entry.key.text])
