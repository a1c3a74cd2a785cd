"""`python -m tests.bench [--only NAME]`: measure, print a table for each, write build/bench/NAME.json.

The exit status is 1 when a target was missed or a benchmark failed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import time
import traceback
from collections.abc import Sequence

from tests.support.outcome import Outcome, write

NAMES = (
    "intake", "slug", "router", "routes", "upgrade", "freeze", "mixed", "push-to-live", "unchanged", "rollback", "wake",
    "check", "branches", "idle", "logs", "console", "ssh", "ssh-exec", "magento",
)
"""Each is a module of its own, with `async def measure(say) -> Outcome`."""
ON_DEMAND = ("freeze-long",)
"""More of them, which take minutes: only when they are asked for by name."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench", description="deployd's benchmarks, each beside a peer.")
    known = (*NAMES, *ON_DEMAND)
    parser.add_argument("--only", metavar="NAME", help=f"one of {', '.join(known)}; several with commas")
    wanted = tuple(name for name in (parser.parse_args(arguments).only or "").split(",") if name) or NAMES
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    missed = [name for name in wanted if not _measured(name)]
    if missed:
        print(f"bench: not met: {', '.join(missed)}")
    return 1 if missed else 0


def _measured(name: str) -> bool:
    def say(text: str) -> None:
        print(f"bench: {name}: {text}", flush=True)

    measure = importlib.import_module(f"tests.bench.{name.replace('-', '_')}").measure
    began = time.monotonic()
    try:
        outcome: Outcome = asyncio.run(measure(say))
    except Exception:
        # One that fails must not keep the others from being measured; its traceback is its result.
        traceback.print_exc()
        say("failed")
        return False
    say(f"measured in {time.monotonic() - began:.0f} s, written to {write(outcome)}")
    print(*outcome.table(), "", sep="\n", flush=True)
    return outcome.met


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
