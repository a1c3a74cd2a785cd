"""What a benchmark writes and prints."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.outcome import Outcome, write

FOUND = Outcome(
    "slug", {"total_seconds": 1.25, "files": 30_000}, {"total_seconds": 20.0}, 16.0, "at least 10 times as fast", True,
    ("median of 3",),
)


def test_an_outcome_is_written_as_json(tmp_path: Path) -> None:
    written = json.loads(write(FOUND, tmp_path / "bench").read_text())
    assert {"name", "figures", "peer", "ratio", "target", "met"} <= set(written)
    assert (written["name"], written["met"], written["ratio"]) == ("slug", True, 16.0)
    assert written["figures"] == {"total_seconds": 1.25, "files": 30_000}


def test_an_outcome_is_printed_as_a_table() -> None:
    assert FOUND.table() == [
        "                 deployd  peer",
        "  total seconds     1.25    20",
        "  files           30,000     -",
        "  ratio            16.00",
        "  target: at least 10 times as fast: met",
        "  median of 3",
    ]
