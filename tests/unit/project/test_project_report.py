"""Findings as text and as JSON."""

import json

from deployd.project.findings.report import count, findings_as_json, render_findings
from deployd.project.model import Finding, Place
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree


def finding(excerpt: str, column: int, length: int = 3) -> Finding:
    return Finding("error", "x", Place("a.yaml", 3, column), "this is wrong", "mend it", excerpt=excerpt, length=length)


def test_the_caret_stands_below_what_is_meant() -> None:
    assert render_findings([finding("    foo: bar", 5)]) == [
        "a.yaml:3:5: error: this is wrong",
        "  3 |     foo: bar",
        "    |     ^^^",
        "  hint: mend it",
        "",
        "1 error",
    ]


def test_a_long_line_is_cut_around_the_caret() -> None:
    lines = render_findings([finding("x" * 500 + "foo" + "y" * 500, 501)])
    assert len(lines[1]) < 130
    caret = lines[2].index("^")
    assert lines[1][caret : caret + 3] == "foo"


def test_a_caret_never_leaves_its_line() -> None:
    assert render_findings([finding("foo", 2, length=80)])[2] == "    |  ^^"
    assert render_findings([finding("foo", 90)])[2].endswith("^")


def test_colours_are_asked_for() -> None:
    assert "\033[" not in "".join(render_findings([finding("foo", 1)]))
    assert "\033[31merror" in "".join(render_findings([finding("foo", 1)], colour=True))


def test_findings_are_counted() -> None:
    warning = Finding("warning", "y", Place("a"), "hm")
    assert count([finding("", 1), finding("", 1), warning]) == "2 errors, 1 warning"
    assert count([]) == ""
    assert render_findings([]) == []


def test_json_names_everything_an_editor_needs() -> None:
    result = read_project(DictTree({".platform.app.yaml": "name: app\ntype: php:8.4\nhokes: {}\n"}))
    found = findings_as_json(result.errors)
    assert json.loads(json.dumps(found))[0] == {
        "severity": "error",
        "code": "unknown-key",
        "file": ".platform.app.yaml",
        "line": 3,
        "column": 1,
        "length": 5,
        "key": "applications.app.hokes",
        "what": "an application has no key `hokes`",
        "hint": "did you mean `hooks`?",
        "excerpt": "hokes: {}",
        "related": [],
    }
