"""One thing that is wrong with what a repository says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployd.project.model.place import Place


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that deployd wants to warn of, as a value; `report.py` makes text and JSON of it."""

    severity: Literal["error", "warning"]
    code: str
    """Stable, documented, searchable: `unknown-key`, `no-such-service`."""
    place: Place
    what: str
    """One sentence without a full stop."""
    hint: str = ""
    key: str = ""
    """Dotted path of the key: `applications.shop.hooks.deploy`."""
    excerpt: str = ""
    """The line of the file, unchanged."""
    length: int = 1
    """How many characters the caret underlines."""
    related: tuple[Place, ...] = ()
