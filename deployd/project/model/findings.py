"""What reading a repository gives: what is wrong with it, and a configuration when nothing is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from deployd.project.model.place import Place
from deployd.project.model.project import ImageAsked, ProjectConfig


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that deployd wants to warn of, as a value; `report.py` makes text and JSON of it."""

    severity: Literal["error", "warning"]
    code: str
    """Stable, documented, searchable: `unknown-key`, `no-such-service`."""
    place: Place
    what: str
    """One sentence without a full stop."""
    mend: str = ""
    key: str = ""
    """Dotted path of the key: `applications.shop.hooks.deploy`."""
    excerpt: str = ""
    """The line of the file, unchanged."""
    length: int = 1
    """How many characters the caret underlines."""
    related: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What reading a repository gave: a configuration when no finding is an error."""

    config: ProjectConfig | None
    findings: tuple[Finding, ...] = field(default=())
    images: tuple[ImageAsked, ...] = ()
    """Of a configuration that is refused: whether the host has them is told with all else that is wrong."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")
