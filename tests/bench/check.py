"""`deployd check`, cold: a person runs it before each push. Beside it, Python and PyYAML that load the same files and
check nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deployd.process import run
from scripts.local_daemon import ROOT
from tests.bench.outcome import Outcome, median

ROUNDS = 9
SECONDS = 0.6
SAMPLE = ROOT / "config" / "samples" / "shop"
ONLY_LOAD = "import sys, yaml\nfor path in sys.argv[1:]:\n    yaml.safe_load(open(path, 'rb'))"


async def measure(say: Callable[[str], None]) -> Outcome:
    files = [
        SAMPLE / ".magento.app.yaml", SAMPLE / ".magento" / "services.yaml", SAMPLE / ".magento" / "routes.yaml",
    ]
    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(await _seconds(sys.executable, "-m", "deployd", "check", str(SAMPLE)))
        peer.append(await _seconds(sys.executable, "-c", ONLY_LOAD, *map(str, files)))
    found, beside = median(ours), median(peer)
    say(f"{found:.2f} s, of which Python and PyYAML are {beside:.2f} s")
    return Outcome(
        "check", {"seconds": found, "slowest_seconds": round(max(ours), 3)}, {"seconds": beside},
        round(found / beside, 2), f"at most {SECONDS} s, Python's own start included", found <= SECONDS,
        (f"median of {ROUNDS}, a new process each time", f"of {_lines(files)} lines in {len(files)} files"),
    )


async def _seconds(*argv: str) -> float:
    began = time.perf_counter()
    await run(*argv, cwd=ROOT)
    return time.perf_counter() - began


def _lines(files: Sequence[Path]) -> int:
    return sum(len(file.read_text().splitlines()) for file in files)
