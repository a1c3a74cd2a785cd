"""A `.environment` that ends the shell which reads it: nothing that comes after it is ever begun.

What the shells of `start_script.py` write in that case is found among the lines of a container, a hook or a cron, and
made into an error with the text, the line and the shell. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from deployd.errors import DeployError
from deployd.release.applications.start_script import ENVIRONMENT_ENDED

NAME = ".environment"
SHELL_SAID = re.compile(r"\S{1,200}: (\d{1,6}): ")
"""`/etc/deployd/start: 2: ./.environment: Syntax error: "(" unexpected`: the number is that of the file's line."""
LINE_OF_FILE = re.compile(r"(\d{1,6}):(.*)")
EVIDENCE_LINES = 5


class EnvironmentFileFailed(DeployError):
    """`.environment` ended the shell: an error for dash, an unset variable after `set -u`, an `exit`."""

    code: ClassVar[str] = "environment-file-failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of how `.environment` ended a shell."""

    status: int
    line: int
    """Of the file; 0: not known."""
    evidence: tuple[str, ...]


def find_failure(written: Iterable[str]) -> Failure | None:
    """The last time that `.environment` ended a shell which wrote these lines; None: it did not."""
    lines = list(written)
    told = [number for number, line in enumerate(lines) if _status(line) is not None]
    if not told:
        return None
    status = _status(lines[told[-1]]) or 0
    before = [line for line in lines[told[-2] + 1 if told[1:] else 0:told[-1]] if line.strip()]
    shown = _lines_of_file(before)
    said = before[:len(before) - len(shown)][-EVIDENCE_LINES:]
    if said and (found := SHELL_SAID.match(said[-1])):
        return Failure(status, int(found[1]), tuple(said[-2:]))
    leaving = [number for number, text in shown if re.search(r"\b(exit|exec)\b", text)]
    return Failure(
        status, leaving[0] if len(leaving) == 1 else 0,
        (*said, *(f"{NAME}:{number}: {text}" for number, text in shown)),
    )


def environment_error(lines: Iterable[str], root: str, before: str) -> EnvironmentFileFailed | None:
    """
    Args:
        lines: What a container, a hook or a cron wrote, oldest first.
        root: Of the application, in its repository.
        before: What was not begun: `the deploy hook of shop`.
    """
    found = find_failure(lines)
    if found is None:
        return None
    path = f"{root}/{NAME}".lstrip("/")
    return EnvironmentFileFailed(
        f"{NAME} ended the shell with status {found.status}, and {before} was never begun",
        where=f"{path}:{found.line}" if found.line else path, evidence=found.evidence,
        hint="it is read by sh, which is dash here and not bash: it has no arrays, `[[ ]]` or `source`; and no `exit`,"
             " no unset variable after `set -u` and no failure after `set -e` may end the shell that reads it",
    )


def _status(line: str) -> int | None:
    found = re.fullmatch(rf"{re.escape(ENVIRONMENT_ENDED)} (\d{{1,3}})", line.strip())
    return int(found[1]) if found else None


def _lines_of_file(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Those that the shell shows last, because they can have ended it."""
    found: list[tuple[int, str]] = []
    for line in reversed(lines[-EVIDENCE_LINES:]):
        shown = LINE_OF_FILE.fullmatch(line)
        if shown is None:
            break
        found.insert(0, (int(shown[1]), shown[2].strip()))
    return found
