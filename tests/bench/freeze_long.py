"""10,000 clients held until five seconds before the end of the longest freeze that there may be. It takes five minutes,
so it is measured only when it is asked for: `make bench ONLY=freeze-long`."""

from __future__ import annotations

from collections.abc import Callable

from deployd.router.control import LONGEST_FREEZE_SECONDS
from tests.bench.freeze import hold
from tests.support.outcome import Outcome

CLIENTS = 10_000
LEFT_SECONDS = 5.0


async def measure(say: Callable[[str], None]) -> Outcome:
    return await hold(
        "freeze-long", CLIENTS, LONGEST_FREEZE_SECONDS - LEFT_SECONDS, say, freeze_seconds=LONGEST_FREEZE_SECONDS,
        drain_seconds=3.0,
    )
