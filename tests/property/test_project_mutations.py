# ruff: noqa: E501   rows of tables are lines
"""Whatever becomes of real files, the reader answers with values or with findings that point into them."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deployd.project.fields.patterns import pattern_problem
from deployd.project.findings.report import findings_as_json, render_findings
from deployd.project.model import Place, ReadResult
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree
from tests.support.corpus import corpus_projects

SPICE = ["\t", "\n", " ", ":", "- ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "!include x", "!!binary ", "<<: *a", "|", ">", "#", "%",
         "@", "`", "\\", "\x07", "é", "€", "null", "true", "Off", "1:30", "0x1f", ".", "..", "/", "../", "{default}", "? ", "---\n", "\ufeff"]
JUNK: list[Any] = [None, True, -1, 0, 1.5, "", "x", "a:b", "\n", [], {}, [None], {"": 1}, {"x": None}, {"type": "x"}, "x" * 300, 10**30, [[[]]]]


@cache
def projects() -> list[dict[str, str]]:
    """Texts of the configuration files of every project of the corpus."""
    found = []
    for project in corpus_projects():
        paths = [path for path in project.tree.paths() if path.endswith((".yaml", ".sh"))]
        found.append({path: project.tree.read(path).decode() for path in paths})
    return found


def check(files: dict[str, str | bytes | None]) -> ReadResult:
    """Read, and check what must hold for any result."""
    result = read_project(DictTree(files))
    assert (result.config is None) == bool(result.errors)
    for finding in result.findings:
        assert finding.what
        for place in (finding.place, *finding.related):
            check_place(place, files)
    assert render_findings(result.findings, colour=True) is not None
    assert len(findings_as_json(result.findings)) == len(result.findings)
    return result


def check_place(place: Place, files: dict[str, str | bytes | None]) -> None:
    if not place.line:
        return
    data = files[place.file]
    assert data is not None
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    lines = text.removeprefix("\ufeff").splitlines() or [""]
    assert 1 <= place.line <= len(lines) + 1
    assert place.column >= 1


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_files_with_mutated_text_never_crash_the_reader(number: int, source: random.Random) -> None:
    files: dict[str, str | bytes | None] = dict(projects()[number % len(projects())])
    path = source.choice(sorted(files))
    text = str(files[path])
    for _ in range(source.randint(1, 6)):
        at = source.randrange(len(text) + 1)
        end = min(len(text), at + source.choice((0, 0, 1, 5, 40)))
        piece = source.choice((source.choice(SPICE), text[source.randrange(len(text) + 1):][:30], ""))
        text = text[:at] + piece + text[end:]
    files[path] = text
    check(files)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_files_with_mutated_lines_never_crash_the_reader(number: int, source: random.Random) -> None:
    files: dict[str, str | bytes | None] = dict(projects()[number % len(projects())])
    path = source.choice(sorted(files))
    lines = str(files[path]).split("\n")
    for _ in range(source.randint(1, 5)):
        at, other = source.randrange(len(lines)), source.randrange(len(lines))
        match source.randrange(4):
            case 0:
                lines[at] = " " * source.randint(0, 8) + lines[at].strip()
            case 1:
                lines.insert(at, lines[other])
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case _ if len(lines) > 1:
                del lines[at]
    files[path] = "\n".join(lines)
    check(files)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_files_with_mutated_values_never_crash_the_reader(number: int, source: random.Random) -> None:
    files: dict[str, str | bytes | None] = dict(projects()[number % len(projects())])
    path = source.choice(sorted(path for path in files if path.endswith(".yaml")))
    try:
        document = yaml.safe_load(str(files[path]))
    except yaml.YAMLError:
        return   # it has an !include
    for _ in range(source.randint(1, 4)):
        document = mutated(document, source)
    files[path] = yaml.safe_dump(document, allow_unicode=True)
    check(files)


def mutated(value: Any, source: random.Random) -> Any:
    """The value with one part of it replaced, moved or taken away."""
    if isinstance(value, dict) and value and source.random() < 0.9:
        key = source.choice(list(value))
        match source.randrange(6):
            case 0:
                return {name: item for name, item in value.items() if name != key}
            case 1:
                return {**value, source.choice(("x", "type", "name", ".dot", "", "a b", str(key) + "s")): value[key]}
            case _:
                return {**value, key: mutated(value[key], source)}
    if isinstance(value, list) and value and source.random() < 0.8:
        at = source.randrange(len(value))
        return [*value[:at], mutated(value[at], source), *value[at + 1:]]
    return source.choice(JUNK)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([".platform.app.yaml", ".platform/services.yaml", ".platform/routes.yaml", ".magento.app.yaml",
                                        ".platform/applications.yaml", "x/.platform.app.yaml", ".magento.env.yaml"]),
                       st.binary(max_size=200) | st.text(max_size=200), min_size=1))
def test_any_bytes_at_all_never_crash_the_reader(files: dict[str, str | bytes]) -> None:
    check({path: data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data for path, data in files.items()})


TEXT = st.text(st.sampled_from("abc:/-_. {}[]*&!|>'\"%@0123456789\n\t#"), max_size=12)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=12,
)
KEYS = st.sampled_from(["name", "type", "disk", "size", "web", "mounts", "hooks", "crons", "workers", "relationships", "variables", "build",
                        "source", "runtime", "firewall", "access", "dependencies", "stack", "preflight", "operations", "additional_hosts"])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUE, max_size=8), st.dictionaries(TEXT, VALUE, max_size=3), st.dictionaries(TEXT, VALUE, max_size=3))
def test_any_values_below_known_keys_never_crash_the_reader(app: Any, services: Any, routes: Any) -> None:
    check({".platform.app.yaml": yaml.safe_dump({"name": "app", "type": "php:8.4", **app}),
           ".platform/services.yaml": yaml.safe_dump(services), ".platform/routes.yaml": yaml.safe_dump(routes)})


@settings(max_examples=800, deadline=None)
@given(st.text(st.sampled_from("ab[]()?*+{}|^$.\\\\-&~:<>='!iPpxzK0123,/ "), max_size=14))
def test_any_pattern_is_answered_and_never_warned_about_by_python(pattern: str) -> None:
    problem = pattern_problem(pattern)
    if problem is not None and problem[1] is not None:
        assert 0 <= problem[1] <= len(pattern)
