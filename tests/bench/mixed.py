"""Twenty deployments in a row under visitors of every kind: how many notice one."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.mixed.journey import visit_through
from tests.support.outcome import Outcome

DEPLOYMENTS = 20


async def measure(say: Callable[[str], None]) -> Outcome:
    count = await visit_through(DEPLOYMENTS, say)
    say(count.line(DEPLOYMENTS).removeprefix("mixed: "))
    for wrong in (*count.errors, *count.wrong_version, *count.duplicates, *count.lost)[:20]:
        say(wrong)
    waits = [end - begin for begin, end in count.held]
    figures = {
        "deployments": DEPLOYMENTS, "requests": count.requests.total(), "errors": len(count.errors),
        "duplicates": len(count.duplicates), "lost": len(count.lost), "wrong_version": len(count.wrong_version),
        "held": len(waits), "out_of_order": count.out_of_order(), "reopened_streams": count.reopened,
        "longest_wait_seconds": round(max(waits, default=0.0), 2),
        "longest_drain_seconds": round(max(count.drains, default=0.0), 2), "restarted_downloads": count.restarted,
        "left": count.left, "left_while_held_and_asked_again": count.forgotten,
    }
    kinds = ", ".join(f"{number} {name}" for name, number in sorted(count.requests.items()))
    return Outcome("mixed", figures, {}, None, "0 errors, duplicates, lost and of a wrong version", count.is_clean, (
        kinds, "each deployment has a deploy hook of a second, during which visitors are held",
    ))
