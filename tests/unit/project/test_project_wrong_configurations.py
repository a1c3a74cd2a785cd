"""Wrong configurations and the message that a person reads, one file each in `expected/project/`.

A file holds the files of a commit (`=== path`), then the message (`=== message`). `UPDATE_EXPECTED=1` writes them
anew; read them before they are committed: would you thank somebody for this?
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

FOLDER = Path(__file__).parents[1] / "expected" / "project"
CASES = sorted(FOLDER.glob("*.txt"))
MESSAGE = "message"


def parts_of(text: str) -> dict[str, str]:
    """{path: content}"""
    found: dict[str, str] = {}
    for part in text.split("=== ")[1:]:
        name, _, content = part.partition("\n")
        found[name.strip()] = content
    return found


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_message_is_the_expected_one(path: Path) -> None:
    text = path.read_bytes().decode()
    parts = parts_of(text)
    expected = parts.pop(MESSAGE, "")
    result = read_project(DictTree(parts))
    message = "\n".join(render_findings(result.findings)) + "\n"
    if os.environ.get("UPDATE_EXPECTED"):
        path.write_bytes((text.split(f"=== {MESSAGE}")[0] + f"=== {MESSAGE}\n{message}").encode())
    else:
        assert message == expected
    assert result.findings
    for finding in result.findings:
        assert finding.what
        assert not finding.what.endswith(".")
        assert finding.hint, f"{finding.code} does not say how to mend it"


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 120
