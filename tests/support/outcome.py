"""What a benchmark found: figures, those of a peer from the same run, their ratio, and whether the target is met."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.local_daemon import ROOT

Number = int | float
FOLDER = ROOT / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    figures: Mapping[str, Number]
    """With the unit in the name: `pack_seconds`."""
    peer: Mapping[str, Number]
    """The same of what we are compared with; empty when there is no peer."""
    ratio: float | None
    """Ours to the peer's, as the target speaks of it."""
    target: str
    """In words: `at least 10 times as fast as docker build`."""
    met: bool
    notes: Sequence[str] = field(default=())
    """What a reader of the figures has to know."""

    def table(self) -> list[str]:
        """Lines for people."""
        rows = [("", "deployd", "peer")]
        for name in dict.fromkeys((*self.figures, *self.peer)):
            rows.append((name.replace("_", " "), _text(self.figures.get(name)), _text(self.peer.get(name))))
        if self.ratio is not None:
            rows.append(("ratio", f"{self.ratio:.2f}", ""))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}".rstrip() for row in rows]
        verdict = "met" if self.met else "NOT MET"
        return [*lines, f"  target: {self.target}: {verdict}", *(f"  {note}" for note in self.notes)]


def write(outcome: Outcome, folder: Path = FOLDER) -> Path:
    """build/bench/NAME.json, replaced. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{outcome.name}.json"
    file.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    return file


def median(values: Sequence[float], digits: int = 3) -> float:
    return round(statistics.median(values), digits)


def _text(value: Number | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")
