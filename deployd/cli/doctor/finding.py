"""What the doctor found: values, and how a person or a program reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deployd.errors import DeployError

WELL, DOUBT, WRONG = "well", "doubt", "wrong"
MARKS = {WELL: "✓", DOUBT: "!", WRONG: "✗"}
NAME_WIDTH = 11


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: str
    """`well`; `doubt`: works, or will, and a person should know; `wrong`: deployments fail because of it."""
    says: str
    hint: str = ""
    evidence: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, error: DeployError) -> Finding:
        """An error that deployd expects, as a finding."""
        says = f"{error.what} ({error.where})" if error.where else error.what
        return cls(name, WRONG, says, error.hint, error.evidence)


def well(name: str, says: str) -> Finding:
    return Finding(name, WELL, says)


def doubt(name: str, says: str, hint: str) -> Finding:
    return Finding(name, DOUBT, says, hint)


def wrong(name: str, says: str, hint: str) -> Finding:
    return Finding(name, WRONG, says, hint)


def render_finding(finding: Finding) -> list[str]:
    """One line; what is not well has evidence and a hint below it."""
    margin = " " * (NAME_WIDTH + 3)
    return [
        f"{MARKS[finding.state]} {finding.name:<{NAME_WIDTH}} {finding.says}",
        *(f"{margin}| {line}" for line in finding.evidence),
        *([f"{margin}hint: {finding.hint}"] if finding.hint else []),
    ]


def render_summary(findings: Sequence[Finding]) -> str:
    """`14 well, 1 in doubt, 0 wrong`"""
    count = {state: sum(finding.state == state for finding in findings) for state in MARKS}
    return f"{count[WELL]} well, {count[DOUBT]} in doubt, {count[WRONG]} wrong"


def findings_as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """`{"well": true, "findings": [{"name", "state", "says", "hint", "evidence"}]}`"""
    return {
        "well": not any(finding.state == WRONG for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
