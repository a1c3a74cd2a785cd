"""Findings as people and programs read them. Pure.

The text is the same in a refused push, in `deployd check`, in the API and on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deployd.project.model.finding import Finding

WIDEST = 110  # columns of an excerpt
_BEFORE = 40  # columns that stay in front of the caret in a long line
_RED, _YELLOW, _BOLD, _DIM, _END = "\033[31m", "\033[33m", "\033[1m", "\033[2m", "\033[0m"


def render_findings(findings: Sequence[Finding], *, colour: bool = False) -> list[str]:
    """Lines of text: place, what is wrong, the line with a caret, how to mend it; a count at the end."""
    lines: list[str] = []
    for finding in findings:
        lines += [*_render(finding, colour), ""]
    if findings:
        lines.append(count(findings))
    return lines


def count(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`"""
    parts = []
    for severity in ("error", "warning"):
        number = sum(finding.severity == severity for finding in findings)
        if number:
            parts.append(f"{number} {severity}{'' if number == 1 else 's'}")
    return ", ".join(parts)


def findings_as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For editors and CI; names are stable."""
    return [
        {
            "severity": finding.severity,
            "code": finding.code,
            "file": finding.place.file,
            "line": finding.place.line,
            "column": finding.place.column,
            "length": finding.length,
            "key": finding.key,
            "what": finding.what,
            "hint": finding.hint,
            "excerpt": finding.excerpt,
            "related": [{"file": place.file, "line": place.line, "column": place.column} for place in finding.related],
        }
        for finding in findings
    ]


def _render(finding: Finding, colour: bool) -> list[str]:
    paint = _RED if finding.severity == "error" else _YELLOW
    place = _clean(f"{finding.place}: " if finding.place.file else "")
    what = _clean(finding.what)
    head = f"{place}{finding.severity}: {what}"
    if colour:
        head = f"{_BOLD}{place}{_END}{paint}{finding.severity}{_END}: {_BOLD}{what}{_END}"
    lines = [head]
    if finding.excerpt.strip():
        text, caret = _window(finding.excerpt, finding.place.column - 1, finding.length)
        number = str(finding.place.line)
        lines.append(f"  {number} | {text}")
        lines.append(f"  {' ' * len(number)} | {paint if colour else ''}{caret}{_END if colour else ''}")
    if finding.hint:
        lines.append(f"  hint: {_clean(finding.hint)}")
    for related in finding.related:
        lines.append(f"  {_DIM if colour else ''}see also {_clean(str(related))}{_END if colour else ''}")
    return lines


def _clean(text: str) -> str:
    """Without what a terminal would obey, or could not show."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _window(line: str, column: int, length: int) -> tuple[str, str]:
    """The part of a line around the caret, and the caret below it."""
    line = _clean(line.replace("\t", "→").rstrip())
    start = max(0, column - _BEFORE) if len(line) > WIDEST else 0
    text = line[start : start + WIDEST]
    if start:
        text = f"…{text[1:]}"
    if start + WIDEST < len(line):
        text = f"{text[:-1]}…"
    at = min(column - start, len(text))
    return text, " " * at + "^" * max(1, min(length, len(text) - at))
