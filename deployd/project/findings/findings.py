"""Where everything that is wrong is collected, so that a person gets all of it at once.

A finding is made here and nowhere else: the collector knows the lines of every file for the excerpt, drops what was
said already (an alias is read as often as it is used), and ends the reading at a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict, Unpack

from deployd.project.findings.codes import CODES
from deployd.project.model.finding import Finding
from deployd.project.model.place import Place
from deployd.project.yaml.nodes import Node

MOST_FINDINGS = 300  # nobody mends more in one go, and a hostile file must not fill the memory
LONGEST_EXCERPT = 2000  # characters of a line that are kept; the report shows a window of them


class More(TypedDict, total=False):
    """What a finding may say of itself; see `Finding`."""

    key: str
    length: int
    """Else that of the node."""
    related: tuple[Place, ...]


class Enough(Exception):
    """So much is wrong that reading on would only cost time; `read_project` catches it."""


@dataclass(slots=True)
class Findings:
    """All findings of one reading, in the order in which they were met."""

    tolerant: bool = False
    """Unknown keys and repaired values are warnings (`tolerant` of the project's settings)."""
    found: list[Finding] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)
    """{file: its lines}"""
    stopped: bool = False
    there: Mapping[str, Sequence[str]] | None = None
    """{runtime or kind of service: versions that the host has}: nothing else is advised. None: nobody knows."""
    _seen: set[tuple[str, Place, str]] = field(default_factory=set)
    _once: dict[str, tuple[str, Node, str, str]] = field(default_factory=dict)
    """{what: (code, where, hint, key)} of what is said once, and only when nothing is wrong"""

    def error(self, code: str, at: Node | Place, what: str, hint: str = "", **more: Unpack[More]) -> None:
        self._add("error", code, at, what, hint, more)

    def warn(self, code: str, at: Node | Place, what: str, hint: str = "", **more: Unpack[More]) -> None:
        self._add("warning", code, at, what, hint, more)

    def warn_once(self, code: str, at: Node, what: str, hint: str = "", *, key: str = "") -> None:
        """A warning for the whole project, where it first shows; `tell_once` says it."""
        self._once.setdefault(what, (code, at, hint, key))

    def tell_once(self) -> None:
        """Say what was noted for the whole project. Beside errors it would only be in the way."""
        for what, (code, at, hint, key) in self._once.items():
            self.warn(code, at, what, hint, key=key)

    def strict(self, code: str, at: Node | Place, what: str, hint: str = "", *, key: str = "") -> None:
        """An error, but a warning for a project that asked for tolerance."""
        self._add("warning" if self.tolerant else "error", code, at, what, hint, More(key=key))

    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.found)

    def all(self) -> tuple[Finding, ...]:
        """Sorted as a person walks through the files, errors and warnings mixed."""
        ordered = sorted(self.found, key=lambda item: (item.place.file, item.place.line, item.place.column))
        if self.stopped:
            what = f"reading stopped after {MOST_FINDINGS} findings, there are more"
            ordered.append(Finding("error", "too-many-findings", Place(""), what, "mend the ones above and look again"))
        return tuple(ordered)

    def adopt_as_warnings(self, others: Findings) -> None:
        """Take over what was found aside, as something that does not stop a push."""
        self.found += [replace(finding, severity="warning") for finding in others.found]

    def _add(
        self, severity: Literal["error", "warning"], code: str, at: Node | Place, what: str, hint: str, more: More,
    ) -> None:
        assert code in CODES, code
        place = at if isinstance(at, Place) else at.place
        if (code, place, what) in self._seen:
            return
        if len(self.found) >= MOST_FINDINGS:
            if severity == "warning":
                return
            self.stopped = True
            raise Enough
        self._seen.add((code, place, what))
        more.setdefault("length", at.length if isinstance(at, Node) else 1)
        self.found.append(Finding(severity, code, place, what, hint, excerpt=self._excerpt(place), **more))

    def _excerpt(self, place: Place) -> str:
        lines = self.lines.get(place.file, [])
        return lines[place.line - 1][:LONGEST_EXCERPT] if 0 < place.line <= len(lines) else ""
