"""`make chaos`: all outages, then a storm of some length, whose count is the last line.

The exit status is 1 when the count is not clean or an outage did harm.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scripts.local_daemon import LocalDaemon
from scripts.removal import remove_all
from tests.chaos.count import Count
from tests.chaos.own_host import in_own_host
from tests.chaos.storm import PLACES, Storm

KILLS = 100
ANSWER_SECONDS = 10


async def storm(seed: int, enough: Callable[[int], bool], say: Callable[[str], None] = print) -> Count:
    """A storm on a daemon of its own, of which nothing is left."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-chaos-"))
    daemon = LocalDaemon(
        directory / "daemon", {place.project: {} for place in PLACES}, instance=f"test-chaos-{os.urandom(3).hex()}",
        settings={"answer_seconds": ANSWER_SECONDS},
    )
    try:
        return await Storm(daemon, directory / "trees", seed, enough, say).run()
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)


def _limit(kills: int | None, minutes: float | None) -> Callable[[int], bool]:
    began = time.monotonic()
    if minutes is not None:
        return lambda _: time.monotonic() - began > minutes * 60
    return lambda done: done >= (KILLS if kills is None else kills)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of the same seed come the same ideas; else another one")
    parser.add_argument("--kills", type=int, default=None, help=f"how many ({KILLS})")
    parser.add_argument("--minutes", type=float, default=None, help="how long, instead of how many")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else int.from_bytes(os.urandom(3))
    outages = asyncio.run(in_own_host("tests.chaos.outages", on_line=_say))
    _say(f"storm with seed {seed}")
    count = asyncio.run(storm(seed, _limit(asked.kills, asked.minutes), _say))
    for line in count.evidence():
        print(line)
    print(count)
    return 0 if count.is_clean and outages.status == 0 else 1


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
