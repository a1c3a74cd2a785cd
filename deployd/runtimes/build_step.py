"""One step of a build, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.project.model import Place


@dataclass(frozen=True, slots=True)
class BuildStep:
    """A dash script with a name for people."""

    title: str
    """What it is, without a verb: `the build hook`."""
    script: str
    place: Place | None = None
    """Where the files say it; None: it is deployd's own."""
